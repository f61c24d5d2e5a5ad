import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../domain/failure.ts';
import { measureHistories, own, type HistorySize } from './figures.ts';
import { runPhase, type PhaseResult, type Tools } from './phase.ts';
import { askWorld } from './world-verbs.ts';

/** Throughput between two changes of the crew. */
export interface Stretch {
  readonly what: string;
  readonly workers: number;
  readonly seconds: number;
  /** Models planned and models ended. */
  readonly steps: number;
}

export interface SimulationResult {
  readonly phases: readonly PhaseResult[];
  readonly histories: ReadonlyMap<string, HistorySize>;
  readonly stretches: readonly Stretch[];
  /** Slots that the backfill held while the small ones ran beside it. */
  readonly backfillModels: number;
  readonly equal: number;
}

const histories = 20;
const pollMs = 250;
const backfillStartMs = 120_000;

/** First loads, then all changed and due at once: alone, beside a backfill, with a crew that changes. */
export async function runRounds(tools: Tools, port: number): Promise<SimulationResult> {
  const { scene, say } = tools;
  const places = scene.small;
  const phases: PhaseResult[] = [];
  const round = async (name: string, onSteps?: (steps: number) => Promise<void>) => {
    await scene.change(name);
    phases.push(await runPhase(tools, { name, places, ...(onSteps && { onSteps }) }));
  };
  await round('first load');
  await round('all changed');
  const sizes = await measureLatest(tools, phases.at(-1)?.transferIds ?? []);
  const backfill = await startBackfill(tools, port);
  await round('beside a backfill');
  await backfill.end();
  await round('all changed again');
  const { stretches, onSteps } = changeCrew(tools, 2 * places.length * scene.modelIds.length);
  await round('workers come, go and are killed', onSteps);
  say('Comparing every destination with the source …');
  const equal = await scene.countEqual([...places, scene.large]);
  return {
    phases,
    histories: sizes,
    stretches: stretches(),
    backfillModels: backfill.models,
    equal,
  };
}

async function measureLatest({ stand, scene }: Tools, ids: readonly string[]) {
  const { rows } = await stand.sql.query<{ id: string; destination_id: string }>(
    /*sql*/ `select id, destination_id ${own} from transfers where id = any($1) order by id limit $2`,
    [ids, histories],
  );
  return measureHistories(
    stand.client,
    rows.map(({ id, destination_id: destinationId }) => ({
      transferId: id,
      destinationId,
      modelIds: scene.modelIds,
    })),
  );
}

/** Begins a first load that is still going on whenever a small transfer looks for a slot. */
async function startBackfill({ stand, scene, say }: Tools, port: number) {
  await askWorld(port, { verb: 'hold', tenant: scene.large.tenant });
  const id = await scene.submit(scene.large);
  const isRunning = /*sql*/ `
    select count(*) ${own} from transfer_models where transfer_id = $1 and rows > 0 and status = 'RUNNING'`;
  const models = async () =>
    Number((await stand.sql.query<{ count: string }>(isRunning, [id])).rows[0]?.count ?? 0);
  await waitUntil(
    async () => (await models()) > 0,
    'The backfill does not begin.',
    backfillStartMs,
  );
  await sleep(5000);
  const held = await models();
  say(`The backfill moves rows of ${held} models and keeps their slots.`);
  return {
    models: held,
    async end() {
      await askWorld(port, { verb: 'release' });
      const ended = /*sql*/ `select status ${own} from transfers where id = $1`;
      const isDone = async () =>
        (await stand.sql.query<{ status: string }>(ended, [id])).rows[0]?.status === 'SUCCESS';
      await waitUntil(isDone, 'The backfill does not end.', 30 * 60_000);
    },
  };
}

async function waitUntil(
  isSo: () => Promise<boolean>,
  otherwise: string,
  ms: number,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Failure('bug', otherwise);
    await sleep(pollMs);
  }
}

interface Change {
  /** Of all steps, when it happens. */
  readonly share: number;
  readonly what: string;
  readonly act: (tools: Tools) => Promise<unknown>;
}

const changes: readonly Change[] = [
  { share: 0.25, what: 'one worker added', act: ({ crew }) => crew.add() },
  { share: 0.5, what: 'one worker told to stop', act: ({ crew }) => crew.retire() },
  { share: 0.75, what: 'one worker killed', act: ({ crew }) => crew.kill() },
];

function changeCrew(tools: Tools, steps: number) {
  const left = [...changes];
  const done: Stretch[] = [];
  let begun: { what: string; workers: number; steps: number; atMs: number } | undefined;
  const onSteps = async (now: number) => {
    if (now === 0) return;
    const atMs = performance.now();
    begun ??= { what: 'as it began', workers: tools.crew.pids().length, steps: now, atMs };
    const next = left[0];
    const isOver = now === steps;
    if (!isOver && (next === undefined || now < steps * next.share)) return;
    done.push({ ...begun, seconds: (atMs - begun.atMs) / 1000, steps: now - begun.steps });
    if (isOver || next === undefined) return;
    left.shift();
    tools.say(`${next.what} after ${now} of ${steps} steps.`);
    await next.act(tools);
    const workers = tools.crew.pids().length;
    begun = { what: next.what, workers, steps: now, atMs };
  };
  return { onSteps, stretches: () => done };
}
