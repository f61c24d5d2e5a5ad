import type { LogicalType } from '../../domain/data-type.ts';
import { Failure } from '../../domain/failure.ts';
import { compareInstants, earlier } from '../../domain/instant.ts';
import type { Cursor, Encoding, Fence } from '../../domain/load.ts';
import type { Relation, SharedColumn, SharedTable } from '../../domain/model.ts';
import { encodeCopyTextRow } from '../../formats/copy-text.ts';
import { sampleRowsMax } from '../../domain/source-rules.ts';
import { must } from '../../lib/must.ts';
import type {
  Batch,
  Finding,
  ReadRequest,
  Sample,
  SampleAsk,
  ShownRead,
  Source,
  SourceColumn,
  UnstampedRows,
} from '../connector.ts';
import type { MemoryStore, MemoryTable, Row } from './store.ts';

/** The vendor's side of a store. */
export class MemorySource implements Source {
  private readonly logIn: () => MemoryStore;

  constructor(logIn: () => MemoryStore) {
    this.logIn = logIn;
  }

  async check(): Promise<Finding[]> {
    return [checkLogin(this.logIn)];
  }

  async describe(relation: Relation): Promise<SourceColumn[]> {
    const { columns, key } = findTable(this.logIn(), relation);
    return columns.map(({ name, type }) => ({
      name,
      type,
      fits: fitsOf(type),
      nullable: !key.includes(name),
    }));
  }

  async encodings(table: SharedTable): Promise<Encoding[]> {
    checkColumns(findTable(this.logIn(), table.relation), table.columns, table.tenantColumn);
    return ['copy_text'];
  }

  async advise(): Promise<Finding[]> {
    return [];
  }

  /** It has no language of its own, so the sentence is one for people. */
  async explain(request: ReadRequest): Promise<ShownRead> {
    const { schema, table } = request.relation;
    checkColumns(findTable(this.logIn(), request.relation), request.columns, request.tenant.column);
    return { sql: `rows of one tenant from ${schema ?? ''}.${table}`, plan: undefined };
  }

  async sample({ table, tenantId, window }: SampleAsk): Promise<Sample> {
    const found = findTable(this.logIn(), table.relation);
    checkColumns(found, table.columns, table.tenantColumn);
    const rows = found.rows
      .filter((row) => tenantId === undefined || row[table.tenantColumn] === tenantId)
      .filter((row) => isUnbounded(window) || isInWindow(row, { ...table, window }))
      .slice(0, sampleRowsMax);
    const keyNames = [table.tenantColumn, ...table.key.map((one) => one.nameInSource)];
    const keys = rows.map((row) => JSON.stringify(keyNames.map((name) => row[name])));
    const roles = [...table.key, table.lastModified];
    const hasNull = ({ nameInSource }: SharedColumn) =>
      rows.some((row) => typeof row[nameInSource] !== 'string');
    return {
      rows: rows.length,
      nulls: roles.filter(hasNull).map(({ nameInDestination }) => nameInDestination),
      hasRepeatedKey: new Set(keys).size < keys.length,
      unfit: [],
    };
  }

  async countUnstamped({ relation, tenant, lastModified, max }: UnstampedRows): Promise<number> {
    const { rows } = findTable(this.logIn(), relation);
    const ours = rows.filter((row) => row[tenant.column] === tenant.id);
    const unstamped = ours.filter((row) => typeof row[lastModified.nameInSource] !== 'string');
    return Math.min(unstamped.length, max);
  }

  /** Whatever is stamped by this store's clock is stamped no earlier than its transaction began. */
  async fence(): Promise<Fence> {
    const store = this.logIn();
    return {
      at: earlier(store.now, store.oldestOpenAt() ?? store.now),
      now: store.now,
      guarantee: 'commit_safe',
      reason: undefined,
      grant: undefined,
      holder: undefined,
      position: undefined,
    };
  }

  async *read(request: ReadRequest, signal: AbortSignal): AsyncGenerator<Batch, void, undefined> {
    const rows = selectRows(findTable(this.logIn(), request.relation), request);
    for (const batch of batchRows(rows, request)) {
      if (signal.aborted) throw new Failure('cancelled', 'The transfer was cancelled.');
      const chunks = batch.map((row) => encodeRow(row, request));
      yield {
        chunks,
        bytes: bytesOf(chunks),
        rows: batch.length,
        deltaRows: batch.filter((row) => isNew(row, request)).length,
        cursor: cursorOf(must(batch.at(-1), 'a row'), request),
      };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** For `check`, which tells of a failure instead of throwing it. */
export function checkLogin(logIn: () => MemoryStore): Finding {
  const name = 'authenticate';
  try {
    logIn();
    return { name, status: 'ok', message: 'The login works.', fix: undefined };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const fix = error.policy.remedy;
    return { name, status: 'error', message: error.message, fix, code: error.code };
  }
}

function findTable(store: MemoryStore, { schema, table, query }: Relation): MemoryTable {
  if (query !== undefined) {
    throw new Failure('source_mismatch', 'This source reads tables, no queries.', { code: 'CONF' });
  }
  const name = schema === undefined ? table : `${schema}.${table}`;
  const found = store.snapshot().tables.get(name);
  if (found !== undefined) return found;
  throw new Failure('source_mismatch', `The source has no table ${name}.`, { code: 'MISS' });
}

/** Text can hold any value, and a wider number a narrower one. */
function fitsOf(type: LogicalType): LogicalType[] {
  const numbers: readonly LogicalType[] = ['integer', 'bigint', 'decimal'];
  const wider = numbers.includes(type) ? numbers.slice(numbers.indexOf(type) + 1) : [];
  return [...new Set<LogicalType>([type, ...wider, 'string'])];
}

function checkColumns(
  table: MemoryTable,
  columns: readonly SharedColumn[],
  tenantColumn: string,
): void {
  const names = new Set(table.columns.map(({ name }) => name));
  const wanted = [tenantColumn, ...columns.map(({ nameInSource }) => nameInSource)];
  const missing = wanted.find((name) => !names.has(name));
  if (missing === undefined) return;
  throw new Failure('source_mismatch', `The source table has no column ${missing}.`);
}

/** The tenant's rows of the window after the cursor, in cursor order. */
function selectRows(table: MemoryTable, request: ReadRequest): Row[] {
  checkColumns(table, request.columns, request.tenant.column);
  return table.rows
    .filter((row) => row[request.tenant.column] === request.tenant.id)
    .filter((row) => isInWindow(row, request))
    .filter((row) => isAfterCursor(row, request))
    .toSorted((a, b) => compareRows(a, b, request));
}

function isUnbounded({ after, upTo }: ReadRequest['window']): boolean {
  return after === undefined && upTo === undefined;
}

/** A row without a last-modified value is in no window. */
function isInWindow(
  row: Row,
  { lastModified, window }: Pick<ReadRequest, 'lastModified' | 'window'>,
): boolean {
  const value = row[lastModified.nameInSource];
  if (typeof value !== 'string') return false;
  const isFrom = window.after === undefined || compareInstants(value, window.after) >= 0;
  return isFrom && (window.upTo === undefined || compareInstants(value, window.upTo) < 0);
}

function isAfterCursor(row: Row, request: ReadRequest): boolean {
  const { resumeAfter, lastModified, key } = request;
  if (resumeAfter === undefined) return true;
  const names = [lastModified, ...key].map(({ nameInSource }) => nameInSource);
  const values = [resumeAfter.lastModified, ...resumeAfter.key];
  const last = Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
  return compareRows(row, last, request) > 0;
}

/**
 * Cursor order: last-modified first, then the key. Which order a type has matters little, that it has
 * one does.
 */
function compareRows(a: Row, b: Row, { lastModified, key }: ReadRequest): number {
  for (const { nameInSource: name, type } of [lastModified, ...key]) {
    const difference = compareValues(type, a[name] ?? '', b[name] ?? '');
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareValues(type: SharedColumn['type'], a: string, b: string): number {
  if (type === 'timestamp') return compareInstants(a, b);
  if (type === 'integer' || type === 'bigint') return Number(BigInt(a) - BigInt(b));
  return Number(a > b) - Number(a < b);
}

function isNew(row: Row, { lastModified, deltaAfter }: ReadRequest): boolean {
  const value = row[lastModified.nameInSource];
  if (deltaAfter === undefined || typeof value !== 'string') return true;
  return compareInstants(value, deltaAfter) > 0;
}

function* batchRows(rows: readonly Row[], request: ReadRequest): Generator<Row[]> {
  let batch: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    const { length } = encodeRow(row, request);
    const isFull = batch.length >= request.batchRowsMax || bytes + length > request.batchBytesMax;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(row);
    bytes += length;
  }
  if (batch.length > 0) yield batch;
}

function encodeRow(row: Row, { columns }: ReadRequest): Buffer {
  return encodeCopyTextRow(columns.map(({ nameInSource }) => row[nameInSource] ?? null));
}

function bytesOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function cursorOf(row: Row, { lastModified, key }: ReadRequest): Cursor {
  const values = key.map(({ nameInSource }) => row[nameInSource] ?? null);
  const at = row[lastModified.nameInSource];
  const isWhole = (all: readonly (string | null)[]): all is string[] => !all.includes(null);
  if (typeof at === 'string' && isWhole(values)) return { lastModified: at, key: values };
  throw new Failure('source_mismatch', 'The key of a row is null at the source.', { code: 'KEYS' });
}
