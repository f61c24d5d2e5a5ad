import { expect, test } from 'vitest';
import { createRunFolder, removeRunFolder } from '../harness/run-folder.ts';
import { runCampaign } from './campaign.ts';
import { endWithUs } from './end-with-us.ts';

/** A seed that found a bug is added here. */
const seeds = [1, 62];

const faults = 12;
const rows = { orders: 3000, events: 1500 };

test.each(seeds)(
  'seed %i: killed, frozen and cut, everything arrives once and nothing stays behind',
  { timeout: 900_000 },
  async (seed) => {
    const folder = await createRunFolder();
    endWithUs(folder);
    const lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    try {
      const size = { faults, seed, faultsPerRound: faults };
      const { differences } = await runCampaign({ ...size, rows, folder, say });
      expect(differences, lines.join('\n')).toEqual([]);
    } finally {
      removeRunFolder(folder);
    }
  },
);
