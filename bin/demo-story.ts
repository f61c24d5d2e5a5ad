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

/**
 * A full refresh of the first customer, whose worker dies half way. While Temporal waits for the worker
 * to report, the other customer is compared. @returns the act, and whether that customer's rows are all
 * equal
 */
export async function refreshThroughKill(
  stage: Stage,
): Promise<{ act: Act; othersEqual: boolean }> {
  const { screen, vendor, customers } = stage;
  const [customer, ...others] = customers;
  assert(customer, 'the demo has a customer');
  screen.step(`Full refresh of ${customer.region}, and the worker is killed half way`);
  const deleted = await deleteFlights(vendor);
  screen.say(`deleted ${shown(stage, deleted)} rows at the source: only a full refresh can notice`);
  const before = await inspect(customer.client, landedTable, '0');
  const expectedRows = before.rows - touched(stage, deleted);
  let othersEqual: Promise<boolean> | undefined;
  const act = await moveRows(stage, {
    title: 'full refresh, killed',
    customers: [customer],
    body: { full_refresh: true },
    expectedRows,
    onRows: (rows) => {
      if (othersEqual !== undefined || rows < expectedRows / 2) return;
      stage.killWorker();
      screen.say(`kill -9 of the worker after ${formatCount(rows)} rows; what is committed stays`);
      screen.say(
        'Temporal notices when the heartbeat stays away; meanwhile the other customer is compared',
      );
      othersEqual = compareCustomers(stage, others);
      // Its failure is thrown where it is awaited; until then it must not end the process.
      othersEqual.catch(() => undefined);
    },
  });
  const after = await inspect(customer.client, landedTable, '0');
  const twice = Math.max(0, act.rows - expectedRows);
  screen.say(
    `${formatCount(twice)} rows copied twice, ${formatCount(before.rows - after.rows)} removed`,
  );
  return { act, othersEqual: (await othersEqual) ?? false };
}

/** The customer that was refreshed. @returns whether all rows are equal */
export async function compareRefreshed(stage: Stage): Promise<boolean> {
  stage.screen.step('Comparison of what was refreshed');
  return compareCustomers(stage, stage.customers.slice(0, 1));
}

/** Every column of every row, by hash, at both ends. */
async function compareCustomers(
  stage: Stage,
  customers: readonly CustomerOnStage[],
): Promise<boolean> {
  const columns = [...sharedColumns, gateColumn].map(({ name }) => name);
  const shape = { columns, key: 'id', keyKind: 'number' } as const;
  let allEqual = true;
  for (const { region, client } of customers) {
    const only = { column: 'region', value: region };
    const source = { ...shape, client: stage.vendor, table: 'public.flights', only };
    const { rows, differing } = await compareCopies(source, {
      ...shape,
      client,
      table: landedTable,
    });
    allEqual &&= differing.length === 0;
    const example = differing.slice(0, 5).join(', ');
    const verdict = differing.length === 0 ? 'all equal' : `DIFFERENT, for example ids ${example}`;
    stage.screen.say(
      `${region}: ${formatCount(rows)} rows of ${columns.length} columns compared by hash: ${verdict}`,
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
