import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

type History = Parameters<typeof historyToJSON>[0];
type Bundle = NonNullable<Parameters<typeof Worker.runReplayHistory>[0]['workflowBundle']>;

/** What a workflow went through, as JSON; `workflowId` decides nothing and names it in messages. */
export interface Recording {
  readonly workflowId: string;
  readonly history: unknown;
}

const folder = fileURLToPath(new URL('../histories/', import.meta.url));

/** Of this machine only, or different in each run: a replay needs none of it. */
const dropped = new Set(['stackTrace', 'identity']);

export function record(workflowId: string, history: History): Recording {
  const text = JSON.stringify(JSON.parse(historyToJSON(history)), (name, value: unknown) =>
    dropped.has(name) ? 'left out' : value,
  );
  return { workflowId, history: JSON.parse(text) as unknown };
}

export async function save(name: string, recording: Recording): Promise<void> {
  await writeFile(`${folder}${name}.json`, `${JSON.stringify(recording)}\n`);
}

export async function listRecordings(): Promise<{ name: string; recording: Recording }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  return Promise.all(
    names.map(async (name) => ({
      name: name.replace('.json', ''),
      recording: JSON.parse(await readFile(`${folder}${name}`, 'utf8')) as Recording,
    })),
  );
}

/** @throws where today's workflows would not do the same again. */
export async function replay(workflowBundle: Bundle, recording: Recording): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle }, recording.history, recording.workflowId);
}
