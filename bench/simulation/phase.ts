import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../domain/failure.ts';
import { mapLimit } from '../../lib/map-limit.ts';
import {
  countStatements,
  folderBytes,
  forgetStatements,
  own,
  readCost,
  sharedFairlyMb,
  type StatementCount,
} from './figures.ts';
import type { Crew } from './crew.ts';
import type { Place, Scene } from './scene.ts';
import type { Stand } from './stand.ts';

export interface PhaseResult {
  readonly name: string;
  readonly transfers: number;
  readonly seconds: number;
  readonly transfersPerSecond: number;
  /** From the submission that makes a transfer due until its end is on record. */
  readonly waitSeconds: { readonly p50: number; readonly p95: number; readonly max: number };
  readonly statementsPerTransfer: number;
  readonly statements: readonly StatementCount[];
  /** CPU milliseconds of each transfer, by process. */
  readonly cpuMs: Readonly<Record<string, number | undefined>>;
  readonly memoryMb: Readonly<Record<string, number | undefined>>;
  /** Kilobytes on disk that each transfer added. */
  readonly storedKb: Readonly<Record<string, number>>;
  readonly transferIds: readonly string[];
}

export interface Tools {
  readonly stand: Stand;
  readonly scene: Scene;
  readonly crew: Crew;
  readonly worldPid: number;
  readonly say: (line: string) => void;
}

export interface PhaseOptions {
  readonly name: string;
  readonly places: readonly Place[];
  /** Told now and then how many models have been planned or have ended, both together. */
  readonly onSteps?: (steps: number) => Promise<void>;
}

const allWorkers = 'all workers';
const submitAtOnce = 8;
const pollMs = 500;
const sayEveryMs = 10_000;

/** All destinations due at once; resolves when all have ended. @throws Failure `bug` unless all succeeded */
export async function runPhase(tools: Tools, options: PhaseOptions): Promise<PhaseResult> {
  const { stand, scene, say } = tools;
  const { name, places } = options;
  say(`${name}: ${places.length} destinations are due.`);
  await forgetStatements(stand.sql);
  const before = await look(tools);
  const startedAtMs = performance.now();
  const submitting = mapLimit(places, submitAtOnce, (place) => scene.submit(place));
  // Watched while others are still being submitted.
  submitting.catch(() => undefined);
  const since = await readClock(stand);
  await waitForAll(tools, { ...options, since });
  const transferIds = await submitting;
  const seconds = (performance.now() - startedAtMs) / 1000;
  const after = await look(tools);
  const statements = await countStatements(stand.sql);
  const waitSeconds = await readWaits(stand, transferIds);
  const total = statements.reduce((sum, { calls }) => sum + calls, 0);
  say(`${name}: done in ${seconds.toFixed(1)} s.`);
  return {
    name,
    transfers: places.length,
    seconds,
    transfersPerSecond: places.length / seconds,
    waitSeconds,
    statementsPerTransfer: total / places.length,
    statements,
    ...compareLooks(before, after, places.length),
    transferIds,
  };
}

async function readClock({ sql }: Stand): Promise<Date> {
  const { rows } = await sql.query<{ now: Date }>(
    /*sql*/ `select clock_timestamp() - interval '1 second' as now ${own}`,
  );
  return rows[0]?.now ?? new Date(0);
}

/** The rows say when a transfer has ended; asking the API for each would be work of its own. */
async function waitForAll(
  { stand, say }: Tools,
  { name, places, onSteps, since }: PhaseOptions & { since: Date },
): Promise<void> {
  const ids = places.map(({ destinationId }) => destinationId);
  let saidAtMs = performance.now();
  for (;;) {
    const { rows } = await stand.sql.query<{ status: string; count: string }>(
      /*sql*/ `
      select status, count(*) ${own} from transfers
      where destination_id = any($1) and submitted_at >= $2 group by status`,
      [ids, since],
    );
    const counts = new Map(rows.map(({ status, count }) => [status, Number(count)]));
    const succeeded = counts.get('SUCCESS') ?? 0;
    const others = [...counts].filter(([status]) => !goodStatuses.includes(status));
    if (others.length > 0) throw new Failure('bug', `Transfers ended as ${others.join(' ')}.`);
    await onSteps?.(await countSteps(stand, ids, since));
    if (succeeded === places.length) return;
    if (performance.now() - saidAtMs > sayEveryMs) {
      saidAtMs = performance.now();
      say(`${name}: ${succeeded} of ${places.length} have ended.`);
    }
    await sleep(pollMs);
  }
}

/** Transfers that are due at once go through their steps side by side: their ends alone say little. */
async function countSteps({ sql }: Stand, ids: readonly string[], since: Date): Promise<number> {
  const { rows } = await sql.query<{ steps: string }>(
    /*sql*/ `
    select count(models.started_at) + count(models.ended_at) as steps ${own}
    from transfers join transfer_models as models on models.transfer_id = transfers.id
    where destination_id = any($1) and submitted_at >= $2`,
    [ids, since],
  );
  return Number(rows[0]?.steps ?? 0);
}

const goodStatuses = ['PENDING', 'RUNNING', 'SUCCESS'];

async function readWaits(
  { sql }: Stand,
  ids: readonly string[],
): Promise<PhaseResult['waitSeconds']> {
  const { rows } = await sql.query<{ p50: number; p95: number; max: number }>(
    /*sql*/ `
    select percentile_cont(0.5) within group (order by wait) as p50,
           percentile_cont(0.95) within group (order by wait) as p95, max(wait) as max ${own}
    from (select extract(epoch from ended_at - submitted_at)::float8 as wait
          from transfers where id = any($1)) as waits`,
    [ids],
  );
  const [waits] = rows;
  if (waits === undefined) throw new Failure('bug', 'No transfer was found.');
  return waits;
}

interface Look {
  /** Who worked: what those used who have gone is not known. */
  readonly crewName: string;
  readonly cpu: Readonly<Record<string, number | undefined>>;
  readonly memory: Readonly<Record<string, number | undefined>>;
  readonly stored: Readonly<Record<string, number>>;
}

async function look({ stand, crew, worldPid }: Tools): Promise<Look> {
  const { temporal, postgres, sql, temporalFolder } = stand;
  const workers = await readCost(crew.pids());
  const crewName = crew.pids().join(' ');
  const server = await readCost([temporal.pid]);
  const database = await readCost([postgres.pid]);
  const { rows } = await sql.query<{ bytes: string }>(
    /*sql*/ `select pg_database_size(current_database()) as bytes ${own}`,
  );
  return {
    crewName,
    cpu: {
      [allWorkers]: workers.cpuSeconds,
      Temporal: server.cpuSeconds,
      Postgres: database.cpuSeconds,
      'this process (API and submitting)':
        process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
      'rows in memory': (await readCost([worldPid])).cpuSeconds,
    },
    memory: {
      'largest worker': workers.residentMb,
      Temporal: server.residentMb,
      'Postgres, shared pages once': await sharedFairlyMb(postgres.pid),
    },
    stored: {
      'our database': Number(rows[0]?.bytes ?? 0),
      Temporal: await folderBytes(temporalFolder),
    },
  };
}

function compareLooks(before: Look, after: Look, transfers: number) {
  const cpuMs = Object.fromEntries(
    Object.entries(after.cpu).map(([name, seconds]) => {
      const earlier = before.cpu[name];
      const isSame = name !== allWorkers || before.crewName === after.crewName;
      const isKnown = seconds !== undefined && earlier !== undefined && isSame;
      return [name, isKnown ? ((seconds - earlier) * 1000) / transfers : undefined];
    }),
  );
  const storedKb = Object.fromEntries(
    Object.entries(after.stored).map(([name, bytes]) => {
      return [name, (bytes - (before.stored[name] ?? 0)) / 1000 / transfers];
    }),
  );
  return { cpuMs, memoryMb: after.memory, storedKb };
}
