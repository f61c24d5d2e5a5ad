import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parkings, visit } from './parked-workflows.ts';
import { startRenewingServer } from './renewing-server.ts';
import { record, replay, save } from './replays.ts';
import { createWorld, type World } from './world.ts';

// Records the histories of `test/histories` and replays them. They are written to the folder only with
//   WAYBILL_RECORD_HISTORIES=1 npx vitest run test/workflows/record
// To be done from released code (from main until the first release), never from a branch under test: a
// history recorded by a change says nothing about what the change breaks.

const mayWrite = process.env['WAYBILL_RECORD_HISTORIES'] === '1';

let server: Awaited<ReturnType<typeof startRenewingServer>>;
let world: World;
let bundle: WorkflowBundle;

beforeAll(async () => {
  server = await startRenewingServer();
  world = await createWorld(server);
  const workflowsPath = fileURLToPath(new URL('../../workflows/workflows.ts', import.meta.url));
  bundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test.each(parkings.map((parking) => ({ name: parking.name, parking })))(
  '$name: does the same again',
  async ({ parking }) => {
    await visit(world, parking, async (name, handles) => {
      for (const [index, handle] of handles.entries()) {
        const recording = record(handle.workflowId, await handle.fetchHistory());
        await expect(replay(bundle, recording)).resolves.toBeUndefined();
        if (mayWrite) await save(`${name}-${index + 1}`, recording);
      }
    });
  },
);
