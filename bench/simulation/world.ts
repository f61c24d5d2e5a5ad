import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { MemoryDestination } from '../../connectors/memory/destination.ts';
import { MemoryLoad } from '../../connectors/memory/load.ts';
import { MemorySource } from '../../connectors/memory/source.ts';
import { memoryColumn, MemoryStore } from '../../connectors/memory/store.ts';
import type { Batch } from '../../connectors/connector.ts';
import { Failure, toFailure } from '../../domain/failure.ts';
import { must } from '../../lib/must.ts';
import type { Verb, WireBatch } from './world-verbs.ts';

// The vendor's database and those of all customers, as stores of the memory connector. A process of its
// own: a store lives in one process, all workers need the same ones, and a kill must not take them along.

const going = new AbortController().signal;
const columns = [
  memoryColumn('tenant', 'string'),
  memoryColumn('id', 'bigint'),
  memoryColumn('changed', 'timestamp'),
  memoryColumn('note', 'string'),
];

/** A store for each tenant, so that reading one does not look through all. */
const tenants = new Map<string, MemoryStore>();
const customers = new Map<string, MemoryStore>();
/** Where descriptions and fences come from; its tables stay empty. */
const vendor = new MemoryStore(undefined);
let tables: readonly string[] = [];
/** A backfill keeps its slots until it is told to end. */
let backfill = Promise.withResolvers<void>();
let backfillTenant: string | undefined;

function tenantStore(id: string): MemoryStore {
  const known = tenants.get(id);
  if (known !== undefined) return known;
  const store = new MemoryStore(undefined);
  for (const table of tables) store.createTable(table, { columns, key: ['tenant', 'id'] });
  tenants.set(id, store);
  return store;
}

function customerStore(name: string): MemoryStore {
  const store = customers.get(name) ?? new MemoryStore(undefined);
  customers.set(name, store);
  return store;
}

/** Rows of one tenant in every table: new ones, or newer versions of those that are there. */
function write({ tenant, rows, note }: { tenant: string; rows: number; note: string }): void {
  const store = tenantStore(tenant);
  store.advance(vendorSeconds() - secondsOf(store));
  store.transact((draft) => {
    for (const table of tables) {
      const old = must(draft.tables.get(table), `table ${table}`);
      const fresh = Array.from({ length: rows }, (_, n) => ({
        tenant,
        id: String(n + 1),
        changed: store.now,
        note: `${note} ${n + 1}`,
      }));
      draft.tables.set(table, { ...old, rows: [...fresh, ...old.rows.slice(rows)] });
    }
  });
}

const secondsOf = (store: MemoryStore) => Math.round(Date.parse(store.now) / 1000);
const vendorSeconds = () => secondsOf(vendor);

/** How many of the tables at a destination hold exactly the tenant's rows. */
function compare({ tenant, store }: { tenant: string; store: string }): number {
  const source = tenantStore(tenant).snapshot().tables;
  const landed = customerStore(store).snapshot().tables;
  const textOf = (rows: readonly Readonly<Record<string, string | null>>[] = []) =>
    rows
      .map(({ id, changed, note }) => JSON.stringify([id, changed, note]))
      .toSorted()
      .join('\n');
  return tables.filter((table) => {
    // Tables land under the name of their model.
    const mine = textOf(landed.get(table.replace('shop.', ''))?.rows);
    return mine !== '' && mine === textOf(source.get(table)?.rows);
  }).length;
}

async function answer(verb: Verb): Promise<unknown> {
  const destination = (store: string) => new MemoryDestination(() => customerStore(store));
  const source = new MemorySource(() => vendor);
  switch (verb.verb) {
    case 'tables':
      tables = verb.tables;
      for (const table of tables) vendor.createTable(table, { columns, key: ['tenant', 'id'] });
      return {};
    case 'advance':
      vendor.advance(verb.seconds);
      return {};
    case 'write':
      return write(verb);
    case 'hold':
      backfill = Promise.withResolvers();
      backfillTenant = verb.tenant;
      return {};
    case 'release':
      backfill.resolve();
      return {};
    case 'compare':
      return compare(verb);
    case 'describeSource':
      return source.describe(verb.relation);
    case 'encodings':
      return source.encodings(verb.table);
    case 'fence':
      return source.fence();
    case 'describe':
      return destination(verb.store).describe(verb.table);
    case 'recall':
      return destination(verb.store).recall(verb.modelId);
    case 'apply':
      return destination(verb.store).apply(verb.change);
    case 'open':
      return (await destination(verb.store).open(verb.plan)).progress;
    case 'writeBatch': {
      const load = new MemoryLoad(customerStore(verb.store), verb.plan);
      const result = await load.write(fromWire(verb.batch), going);
      return { ...result, progress: load.progress };
    }
    case 'startCatchUp': {
      const load = new MemoryLoad(customerStore(verb.store), verb.plan);
      await load.startCatchUp(verb.fence);
      return load.progress;
    }
    case 'finish':
      return new MemoryLoad(customerStore(verb.store), verb.plan).finish(verb.close, going);
    case 'read':
      throw new Failure('bug', 'Reading is answered as a stream.');
  }
}

function fromWire(batch: WireBatch): Batch {
  return { ...batch, chunks: [Buffer.from(batch.text)] };
}

async function stream(verb: Extract<Verb, { verb: 'read' }>, response: ServerResponse) {
  const { request } = verb;
  const isBackfill = request.tenant.id === backfillTenant;
  const store = tenantStore(request.tenant.id);
  for await (const batch of new MemorySource(() => store).read(request, going)) {
    const { chunks, ...rest } = batch;
    const line: WireBatch = { ...rest, text: Buffer.concat(chunks).toString() };
    response.write(`${JSON.stringify(line)}\n`);
    if (isBackfill) await sleep(verb.pauseMs);
  }
  if (isBackfill) await backfill.promise;
  response.end();
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const verb = JSON.parse(await text(request)) as Verb;
  if (verb.verb === 'read') return stream(verb, response);
  response.end(JSON.stringify({ value: await answer(verb) }));
}

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    const { kind, message, code } = toFailure(error);
    if (kind === 'bug') process.stderr.write(`${String(error)}\n`);
    response.writeHead(500).end(JSON.stringify({ kind, message, code }));
  });
});
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
