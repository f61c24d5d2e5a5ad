import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { startTransfer } from '../../bin/demo-api.ts';
import { Failure } from '../../domain/failure.ts';
import { workflowIds } from '../../domain/temporal-names.ts';
import { mapLimit } from '../../lib/map-limit.ts';
import { machineSetting, median } from '../report.ts';
import type { Run } from '../simulate.ts';
import { createCrew } from './crew.ts';
import { countStatements, forgetStatements, measureHistories, own } from './figures.ts';
import { short, writeSections } from './report.ts';
import { createSmallEnds, type SmallEnds } from './small-ends.ts';
import { startStand, type Stand } from './stand.ts';

interface Tools {
  readonly stand: Stand;
  readonly ends: SmallEnds;
  readonly modelIds: readonly string[];
  readonly say: (line: string) => void;
}

/** One kind of small work: its times, and what each transfer of it caused. */
interface SmallResult {
  readonly name: string;
  /** Of one transfer: medians where they ran one by one, the whole time shared where all ran at once. */
  readonly transferMs: number;
  readonly bareMs: number;
  readonly bareManyMs: number;
  readonly numbers: Readonly<Record<string, number>>;
}

const rounds = 20;
const samples = 10;
const submitAtOnce = 8;
const pollMs = 100;

/** What a transfer costs that has next to nothing to move, beside workflows that do nothing at all. */
export async function runSmallWork({ options, file, signal, say, stack }: Run): Promise<void> {
  const stand = await startStand({ folder: file('.'), say, signal }, stack);
  const env = { ...stand.workerEnv, WAYBILL_LOG_LEVEL: 'info' };
  const bare = createCrew({ program: new URL('bare-worker.ts', import.meta.url), env }, stack);
  const program = new URL('../../bin/worker.ts', import.meta.url);
  const crew = createCrew({ program, env }, stack);
  await Promise.all([bare.add(), crew.add()]);
  say(`Adding ${options.destinations} destinations …`);
  const customers = options.destinations;
  const ends = await createSmallEnds(stand.api, { dataDir: file('ends'), customers, say }, stack);
  const { rows } = await stand.sql.query<{ id: string }>(/*sql*/ `select id ${own} from models`);
  const tools = { stand, ends, modelIds: rows.map(({ id }) => id), say };
  say('First loads of all …');
  await transferAtOnce(tools);
  const results = [
    await oneByOne(tools, { name: 'empty transfer', rows: 0 }),
    await oneByOne(tools, { name: `transfer of ${options.rows} changed rows`, rows: options.rows }),
    await allAtOnce(
      tools,
      `${customers} due at once, ${options.rows} changed rows each`,
      options.rows,
    ),
  ];
  const equal = await ends.countEqual();
  const setting = {
    ...machineSetting(),
    ends: `embedded Postgres 18, one server: a vendor, and ${customers} customers with a schema each`,
    model: 'one of three columns, 100 rows at each destination',
    servers: 'development server of Temporal on SQLite, embedded Postgres 18, all on this machine',
    worker: 'bin/worker.ts with its usual settings; the bare workflows in a worker like it',
    rounds: `${rounds} where one by one, taking turns, medians`,
    time: 'from the request until the workflow of the transfer has ended',
    equal: `${equal} of ${customers} destinations hold exactly the rows of the source`,
  };
  const sections = [timeSection(results), numberSection(results)];
  const report = await writeSections({ name: 'small-work', setting, sections, figures: results });
  say(`\n${report.text}\nWritten to ${report.file}`);
  if (equal !== customers) {
    throw new Failure('bug', 'Destinations differ from the source: the figures say nothing.');
  }
}

async function oneByOne(
  tools: Tools,
  { name, rows }: { name: string; rows: number },
): Promise<SmallResult> {
  const { stand, ends, say } = tools;
  const activities = await countActivities(tools);
  const times = { transfer: [] as number[], bare: [] as number[], many: [] as number[] };
  await forgetStatements(stand.sql);
  await ends.forget();
  const ids: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (rows > 0) await ends.change(rows);
    const destinationId = ends.destinationIds[round % ends.destinationIds.length] ?? '';
    const { id, ms } = await timeTransfer(stand, destinationId);
    ids.push(id);
    times.transfer.push(ms);
    times.bare.push(await timeBare(stand, 1));
    times.many.push(await timeBare(stand, activities));
  }
  say(`${name}: ${short(median(times.transfer))} ms, bare ${short(median(times.bare))} ms.`);
  return {
    name,
    transferMs: median(times.transfer),
    bareMs: median(times.bare),
    bareManyMs: median(times.many),
    numbers: await countAll(tools, ids),
  };
}

async function allAtOnce(tools: Tools, name: string, rows: number): Promise<SmallResult> {
  const { stand, ends, say } = tools;
  const count = ends.destinationIds.length;
  const activities = await countActivities(tools);
  const bareAtOnce = async (each: number) => {
    const startedAt = performance.now();
    await Promise.all(ends.destinationIds.map(() => timeBare(stand, each)));
    return (performance.now() - startedAt) / count;
  };
  const bareMs = await bareAtOnce(1);
  const bareManyMs = await bareAtOnce(activities);
  say(`${count} bare workflows at once: ${short(bareMs)} ms each.`);
  await ends.change(rows);
  await forgetStatements(stand.sql);
  await ends.forget();
  const startedAt = performance.now();
  const ids = await transferAtOnce(tools);
  const transferMs = (performance.now() - startedAt) / count;
  say(`${name}: ${short(transferMs)} ms each.`);
  return { name, transferMs, bareMs, bareManyMs, numbers: await countAll(tools, ids) };
}

/** Of one transfer, as the product does it today. */
async function countActivities(tools: Tools): Promise<number> {
  const { id } = await timeTransfer(tools.stand, tools.ends.destinationIds[0] ?? '');
  const { activities = 0 } = await countAll(tools, [id]);
  return activities;
}

async function timeTransfer({ api, client }: Stand, destinationId: string) {
  const startedAt = performance.now();
  const id = await startTransfer(api, destinationId);
  const handle = client.workflow.getHandle(workflowIds.transfer(id));
  for (;;) {
    try {
      await handle.result();
      return { id, ms: performance.now() - startedAt };
    } catch (error) {
      // The queue has yet to start it.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
}

async function timeBare({ client }: Stand, activities: number): Promise<number> {
  const startedAt = performance.now();
  await client.workflow.execute('bareWorkflow', {
    taskQueue: 'bare',
    workflowId: `bare/${randomUUID()}`,
    args: [activities],
  });
  return performance.now() - startedAt;
}

/** @throws Failure `bug` where one does not succeed */
async function transferAtOnce({ stand, ends, say }: Tools): Promise<string[]> {
  const ids = await mapLimit(ends.destinationIds, submitAtOnce, (id) =>
    startTransfer(stand.api, id),
  );
  let saidAtMs = performance.now();
  for (;;) {
    const { rows } = await stand.sql.query<{ open: string; bad: string; done: string }>(
      /*sql*/ `
      select count(*) filter (where ended_at is null) as open, ${own}
             count(*) filter (where status = 'SUCCESS') as done,
             count(*) filter (where ended_at is not null and status <> 'SUCCESS') as bad
      from transfers where id = any($1)`,
      [ids],
    );
    const [now] = rows;
    if (Number(now?.bad) > 0) throw new Failure('bug', `${now?.bad} transfers did not succeed.`);
    if (Number(now?.open) === 0) return ids;
    if (performance.now() - saidAtMs > 10_000) {
      saidAtMs = performance.now();
      say(`${now?.done} of ${ids.length} have ended.`);
    }
    await sleep(pollMs);
  }
}

async function countAll(
  { stand, ends, modelIds }: Tools,
  ids: readonly string[],
): Promise<Record<string, number>> {
  const statements = await countStatements(stand.sql);
  const atEnds = await ends.count();
  const { rows } = await stand.sql.query<{ id: string; destination_id: string }>(
    /*sql*/ `select id, destination_id ${own} from transfers where id = any($1) limit $2`,
    [ids.slice(-samples), samples],
  );
  const refs = rows.map(({ id, destination_id: destinationId }) => {
    return { transferId: id, destinationId, modelIds };
  });
  const sizes = [...(await measureHistories(stand.client, refs)).values()];
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const each = Object.entries(atEnds).map(([name, value]) => [name, value / ids.length] as const);
  return {
    workflows: sum(sizes.map(({ workflows }) => workflows)),
    activities: sum(sizes.map(({ activities }) => activities)),
    'history events': sum(sizes.map(({ events }) => events)),
    'history bytes': sum(sizes.map(({ bytes }) => bytes)),
    'lost workflow tasks': sum(sizes.map(({ lostTasks }) => lostTasks)),
    'statements at our database': sum(statements.map(({ calls }) => calls)) / ids.length,
    ...Object.fromEntries(each),
  };
}

function timeSection(results: readonly SmallResult[]) {
  const head = [
    'work',
    'ms each',
    'bare, 1 activity',
    'ratio',
    'bare, as many activities',
    'ratio',
  ];
  const lines = results.map(({ name, transferMs, bareMs, bareManyMs }) => [
    name,
    ...[transferMs, bareMs, transferMs / bareMs, bareManyMs, transferMs / bareManyMs].map(short),
  ]);
  return { title: 'Time', table: [head, ...lines] };
}

function numberSection(results: readonly SmallResult[]) {
  const names = Object.keys(results[0]?.numbers ?? {});
  const lines = names.map((name) => [name, ...results.map(({ numbers }) => short(numbers[name]))]);
  return {
    title: 'Of each transfer',
    table: [['number', ...results.map(({ name }) => name)], ...lines],
  };
}
