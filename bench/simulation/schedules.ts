import { setTimeout as sleep } from 'node:timers/promises';
import { mapLimit } from '../../lib/map-limit.ts';
import { machineSetting } from '../report.ts';
import type { Run } from '../simulate.ts';
import { createCrew } from './crew.ts';
import { writeSections } from './report.ts';
import { startStand, type Stand } from './stand.ts';

const atOnce = 8;
const firingMs = 120_000;

/**
 * A schedule for each of many destinations on the development server: made with their destinations, changed
 * by the default of the environment, and fired. The destinations have no models: a firing costs what the
 * clock costs and nothing else.
 */
export async function runSchedules({ options, file, signal, say, stack }: Run): Promise<void> {
  const stand = await startStand({ folder: file('.'), say, signal }, stack);
  const program = new URL('worker.ts', import.meta.url);
  const env = { ...stand.workerEnv, WAYBILL_LOG_LEVEL: 'error' };
  const crew = createCrew({ program, env }, stack);
  await crew.add();
  const count = options.destinations;
  say(`Making ${count} destinations, each with its schedule …`);
  const madeMs = await timed(() => makeDestinations(stand, count, say));
  say('Changing the default of all of them …');
  const changedMs = await timed(() => changeDefault(stand, 60));
  say('Making all of them due every minute …');
  const dueMs = await timed(() => changeDefault(stand, 1));
  const before = await countFired(stand);
  await sleep(firingMs, undefined, { signal });
  const fired = (await countFired(stand)) - before;
  const perSecond = (things: number, ms: number) => (things / (ms / 1000)).toFixed(0);
  const lines = [
    [
      'made with their destinations, by the API',
      `${seconds(madeMs)} s`,
      `${perSecond(count, madeMs)} a second`,
    ],
    [
      'changed by the default, by reconcile',
      `${seconds(changedMs)} s`,
      `${perSecond(count, changedMs)} a second`,
    ],
    ['changed once more', `${seconds(dueMs)} s`, `${perSecond(count, dueMs)} a second`],
    [
      `fired in ${firingMs / 1000} s, each due every minute`,
      String(fired),
      `${perSecond(fired, firingMs)} a second`,
    ],
  ];
  const { text, file: written } = await writeSections({
    name: 'schedules',
    setting: {
      ...machineSetting(),
      schedules: String(count),
      workers: '1',
      server: 'development server of Temporal on SQLite',
    },
    sections: [{ title: 'Schedules', table: [['what', 'took', 'rate'], ...lines] }],
    figures: { count, madeMs, changedMs, dueMs, fired, firingMs },
  });
  say(`\n${text}\nWritten to ${written}`);
}

async function makeDestinations(stand: Stand, count: number, say: Run['say']): Promise<void> {
  const { id } = await stand.api.call<{ id: string }>({
    method: 'POST',
    path: '/recipients',
    body: { recipient: { name: 'all', id_in_provider_system: 'all' } },
    part: 'recipient',
  });
  await mapLimit(Array.from({ length: count }), atOnce, async (_, n) => {
    const memory = { port: 1, store: `store-${n}` };
    const destination = { name: `d${n}`, vendor: 'memory', recipient_id: id, memory };
    await stand.api.call({
      method: 'POST',
      path: '/destinations',
      body: { destination },
      part: 'destination',
    });
    if (n > 0 && n % 1000 === 0) say(`  ${n} made`);
  });
}

/** Returns when Temporal has been told every schedule. */
async function changeDefault(stand: Stand, minutes: number): Promise<void> {
  const settings = { default_frequency_minutes: minutes };
  await stand.api.call({
    method: 'PATCH',
    path: '/settings',
    body: { settings },
    part: 'settings',
  });
  for (;;) {
    const { rows } = await stand.sql.query<{ count: number }>(/*sql*/ `
      select count(*)::int from destinations where schedule_version <> scheduled_version`);
    if (rows[0]?.count === 0) return;
    await sleep(500);
  }
}

async function countFired(stand: Stand): Promise<number> {
  const { count } = await stand.client.workflow.count(`WorkflowType = 'scheduledTransfer'`);
  return count;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0);
}
