import type pg from 'pg';
import { assert } from '../lib/must.ts';
import type { ApiClient } from './demo-api.ts';
import {
  addGateColumn,
  beginLate,
  deleteFlights,
  insertFlights,
  updateFlights,
  type Touched,
} from './demo-changes.ts';
import { compareCopies } from './demo-compare.ts';
import { inspect, markNow } from './demo-customers.ts';
import { formatCount, type Screen } from './demo-screen.ts';
import {
  gateColumn,
  landedTable,
  publishGate,
  sharedColumns,
  type Customer,
} from './demo-setup.ts';
import { runTransfers, type Moved } from './demo-transfers.ts';
import type { Login } from './demo-vendor.ts';

/** All that the steps of the demo act upon. */
export interface Stage {
  readonly screen: Screen;
  readonly api: ApiClient;
  readonly vendor: pg.Client;
  readonly vendorLogin: Login;
  /** Rows of the vendor's table at the beginning. */
  readonly rows: number;
  readonly modelId: string;
  readonly customers: readonly CustomerOnStage[];
  /** Sends SIGKILL to the worker that runs now. */
  readonly killWorker: () => void;
}

export interface CustomerOnStage extends Customer {
  readonly client: pg.Client;
  /** Rows of its region at the beginning. */
  readonly rows: number;
}

/** A line of the closing table: what moved, and what the databases had to write. */
export interface Act extends Moved {
  readonly written: number;
}

export async function loadFirst(stage: Stage): Promise<Act> {
  stage.screen.step('First transfer: everything, to both customers at once');
  return moveRows(stage, {
    title: 'first load',
    expectedRows: sum(stage.customers.map(({ rows }) => rows)),
  });
}

/** @returns the act, and how to commit what was left open */
export async function moveChanges(
  stage: Stage,
): Promise<{ act: Act; commitLate: () => Promise<Act> }> {
  const { screen, vendor, rows } = stage;
  screen.step('The vendor changes rows and shares one more column');
  await addGateColumn(vendor);
  const late = await beginLate(stage.vendorLogin, rows);
  const updated = await updateFlights(vendor);
  const inserted = await insertFlights(vendor, rows);
  await publishGate(stage.api, stage.modelId);
  screen.say(
    `updated ${shown(stage, updated)} rows, inserted ${shown(stage, inserted)}, published column "gate"`,
  );
  screen.say(
    `a transaction with ${shown(stage, late.touched)} more rows began earlier and is still open`,
  );
  const act = await moveRows(stage, { title: 'changes' });
  sayWritten(stage, act, touched(stage, updated) + touched(stage, inserted));
  const commitLate = async () => {
    screen.step(
      'The open transaction commits, with last-modified values older than what was copied',
    );
    await late.commit();
    const lateAct = await moveRows(stage, { title: 'late commit' });
    sayWritten(stage, lateAct, touched(stage, late.touched));
    return lateAct;
  };
  return { act, commitLate };
}

/** A full refresh of the first customer, whose worker dies half way. */
export async function refreshThroughKill(stage: Stage): Promise<Act> {
  const { screen, vendor, customers } = stage;
  const [customer] = customers;
  assert(customer, 'the demo has a customer');
  screen.step(`Full refresh of ${customer.region}, and the worker is killed half way`);
  const deleted = await deleteFlights(vendor);
  screen.say(`deleted ${shown(stage, deleted)} rows at the source: only a full refresh can notice`);
  const before = await inspect(customer.client, landedTable, '0');
  const expectedRows = before.rows - touched(stage, deleted);
  let killed = false;
  const act = await moveRows(stage, {
    title: 'full refresh, killed',
    customers: [customer],
    body: { full_refresh: true },
    expectedRows,
    onRows: (rows) => {
      if (killed || rows < expectedRows / 2) return;
      killed = true;
      stage.killWorker();
      screen.say(`kill -9 of the worker after ${formatCount(rows)} rows; what is committed stays`);
    },
  });
  const after = await inspect(customer.client, landedTable, '0');
  screen.say(
    `${formatCount(before.rows - after.rows)} rows less than before; nobody saw the table empty`,
  );
  return act;
}

/** Every column of every row of both customers. @returns whether all are equal */
export async function compareAll(stage: Stage): Promise<boolean> {
  stage.screen.step('Comparison, row by row, by hash');
  const columns = [...sharedColumns, gateColumn].map(({ name }) => name);
  const shape = { columns, key: 'id', keyKind: 'number' } as const;
  let allEqual = true;
  for (const { region, client } of stage.customers) {
    const source = {
      ...shape,
      client: stage.vendor,
      table: 'public.flights',
      only: { column: 'region', value: region },
    };
    const result = await compareCopies(source, { ...shape, client, table: landedTable });
    const equal = result.differing.length === 0;
    allEqual &&= equal;
    const verdict = equal
      ? 'all equal'
      : `DIFFERENT, for example ids ${result.differing.slice(0, 5).join(', ')}`;
    stage.screen.say(
      `${region.padEnd(5)} ${formatCount(result.rows)} rows of ${columns.length} columns: ${verdict}`,
    );
  }
  return allEqual;
}

interface Move {
  readonly title: string;
  readonly customers?: readonly CustomerOnStage[];
  readonly body?: object;
  readonly expectedRows?: number;
  readonly onRows?: (rows: number) => void;
}

async function moveRows(stage: Stage, move: Move): Promise<Act> {
  const customers = move.customers ?? stage.customers;
  const marks = await Promise.all(customers.map(({ client }) => markNow(client)));
  const moved = await runTransfers(stage.api, stage.screen, { ...move, customers });
  const seen = await Promise.all(
    customers.map(({ client }, at) => inspect(client, landedTable, marks[at] ?? '0')),
  );
  const written = sum(seen.map((each) => each.written));
  const untouched = sum(seen.map((each) => each.rows)) - written;
  stage.screen.say(
    `${formatCount(written)} rows written at the destinations, ${formatCount(untouched)} left alone`,
  );
  return { step: moved.step, rows: moved.rows, seconds: moved.seconds, written };
}

function sayWritten(stage: Stage, act: Act, changed: number): void {
  const verdict =
    act.written === changed
      ? 'exactly the rows that changed'
      : `but ${formatCount(changed)} changed`;
  stage.screen.say(`${verdict}; rows read again because they are recent were recognised`);
}

/** Rows of the regions that are customers: nobody else's rows travel. */
function touched(stage: Stage, rows: Touched): number {
  return sum(stage.customers.map(({ region }) => rows.get(region) ?? 0));
}

function shown(stage: Stage, rows: Touched): string {
  return formatCount(touched(stage, rows));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
