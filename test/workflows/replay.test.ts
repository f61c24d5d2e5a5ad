import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  type WorkflowBundle,
} from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { listRecordings, replay, type Recording } from './replays.ts';

// Histories of `test/histories`, each of a workflow at a point where a deploy may find it. Today's workflows
// must do again what they did: otherwise that deploy would stop every such workflow for good. Where the
// change is wanted, keep the old way behind `patched`. `record.local.test.ts` says how they are made.

// What breaks is told by the test that finds it.
Runtime.install({
  logger: new DefaultLogger('ERROR', () => undefined),
  telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
});

const recordings = await listRecordings();
let bundle: WorkflowBundle;

beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../workflows/workflows.ts', import.meta.url));
  bundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
}, 60_000);

describe('a deploy goes on with a workflow that it finds', () => {
  test('there is one of each kind', () => {
    expect(recordings.length).toBeGreaterThan(15);
  });

  test.each(recordings)('$name', async ({ name, recording }) => {
    const broken = `Deploying this breaks every workflow that is parked as ${name} was (${recording.workflowId}).`;
    await expect(replay(bundle, recording), broken).resolves.toBeUndefined();
  });
});

describe('the replay would notice', () => {
  test.each([
    ['another activity', 'copySlice', 'copyAll'],
    ['another activity id', 'slice-1', 'slice-one'],
    ['another child', 'runModel', 'runTable'],
  ])('%s', async (_what, was, is) => {
    const touched = recordings
      .filter(({ recording }) => JSON.stringify(recording).includes(`"${was}"`))
      .slice(0, 3);
    const ends = await Promise.allSettled(
      touched.map(({ recording }) => replay(bundle, renamed(recording, { was, is }))),
    );
    expect(ends.length).toBeGreaterThan(0);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toEqual([]);
  });
});

function renamed(recording: Recording, { was, is }: { was: string; is: string }): Recording {
  return JSON.parse(JSON.stringify(recording).replaceAll(`"${was}"`, `"${is}"`)) as Recording;
}
