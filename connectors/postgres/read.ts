import { Failure } from '../../domain/failure.ts';
import { compareInstants, type InstantText } from '../../domain/instant.ts';
import type { SharedColumn } from '../../domain/model.ts';
import { binaryValueText } from '../../formats/binary-value.ts';
import { cutCopyBinary } from '../../formats/copy-binary.ts';
import { cutCopyText } from '../../formats/copy-text.ts';
import type { CutBatch } from '../../formats/cut-rows.ts';
import { must } from '../../lib/must.ts';
import type { Batch, ReadRequest } from '../connector.ts';
import { nameOf, type CatalogTable } from './catalog.ts';
import { binaryCursorTypeOf, buildRead } from './read-statement.ts';
import type { Session } from './session.ts';
import { setSettings } from './sql.ts';

/**
 * Measured: without these two the planner sorts all that remains of the tenant for each slice anew,
 * although the index has the order.
 */
export const readerSettings = [
  'set local enable_sort = off',
  'set local enable_bitmapscan = off',
  'set local jit = off',
  `set local idle_in_transaction_session_timeout = '60s'`,
];

const beginRead = 'begin transaction isolation level read committed read only';

/**
 * The rows of one statement, cut into batches. The session is left inside the transaction when the caller
 * stops early.
 */
export async function* readRows(
  session: Session,
  table: CatalogTable,
  request: ReadRequest,
): AsyncGenerator<Batch> {
  const statement = buildRead(table, request);
  await session.begin(beginRead, readerSettings);
  await checkPosition(session, request.position);
  await session.rows(setSettings([...statement.settings.keys()]), [...statement.settings.values()]);
  await checkTenant(session, statement.tenantCast);
  yield* cut(session, statement.copy, request);
  await session.script(['commit']);
}

/** An id that no row can equal is refused: a transfer of nothing would look like a tenant without rows. */
async function checkTenant(session: Session, tenantCast: string): Promise<void> {
  try {
    const [row] = await session.rows<{ is_exact: boolean }>(tenantCast);
    if (must(row, 'a row').is_exact) return;
  } catch (error) {
    const isValue =
      error instanceof Failure &&
      (error.kind === 'source_mismatch' || error.kind === 'value_refused');
    if (!isValue) throw error;
    const sentence =
      'The id_in_provider_system of the recipient is no value of the type of the tenant column.';
    throw new Failure('source_mismatch', sentence, { code: 'CONF', detail: error.detail });
  }
  const sentence =
    'The id_in_provider_system of the recipient is not written as the tenant column has it: ' +
    'a uuid in lower case, a number without leading zeros, nothing padded.';
  throw new Failure('source_mismatch', sentence, { code: 'CONF' });
}

async function checkPosition(session: Session, position: string | undefined): Promise<void> {
  if (position === undefined) return;
  const [row] = await session.rows<{ is_behind: boolean | null }>(
    /*sql*/ `select pg_is_in_recovery() and pg_last_wal_replay_lsn() < $1::pg_lsn as is_behind`,
    [position],
  );
  if (row?.is_behind !== true) return;
  throw new Failure(
    'source_busy',
    'The standby that answered has replayed less than the one that was asked first.',
  );
}

async function* cut(session: Session, copy: string, request: ReadRequest): AsyncGenerator<Batch> {
  const { bytes, rowCount } = session.copyOut(copy);
  const verifyEnd = async (rows: number) => {
    if (rows !== (await rowCount))
      throw new Failure('source_unreachable', 'The source sent fewer rows than it counted.');
  };
  const { batchBytesMax, batchRowsMax } = request;
  const limits = { batchBytesMax, batchRowsMax, verifyEnd };
  const cursorColumns = [request.lastModified, ...request.key];
  const batches =
    request.encoding === 'copy_binary'
      ? cutCopyBinary(bytes, { ...limits, cursorTypes: cursorColumns.map(binaryCursorTypeOf) })
      : cutCopyText(bytes, { ...limits, cursorFields: cursorColumns.length });
  let before = request.resumeAfter?.lastModified ?? request.window.after;
  try {
    for await (const batch of batches) {
      const cursor = cursorOf(batch, request.key);
      yield {
        ...batch,
        cursor,
        deltaRows: countDelta(batch, { before, last: cursor.lastModified }, request),
      };
      before = cursor.lastModified;
    }
  } catch (error) {
    throw session.translate(error, {
      table: nameOf(request.relation),
      columns: request.columns.map((one) => one.nameInSource),
    });
  }
}

function cursorOf(batch: CutBatch, keyColumns: readonly SharedColumn[]): Batch['cursor'] {
  const [lastModified, ...key] = batch.cursor;
  const nameless = keyColumns.find((_, index) => key[index] === null);
  if (nameless !== undefined) {
    const name = nameless.nameInSource;
    throw new Failure('source_mismatch', `Key column ${name} is null in a row of the source.`, {
      code: 'KEYS',
    });
  }
  return {
    lastModified: must(lastModified, 'a last-modified value'),
    key: key.map((value) => must(value, 'a key')),
  };
}

/** Rows come in order of last-modified, so only a batch that straddles the border has to be looked into. */
function countDelta(
  batch: CutBatch,
  edges: { before: InstantText | undefined; last: InstantText },
  { deltaAfter, encoding, lastModified }: ReadRequest,
): number {
  if (deltaAfter === undefined) return batch.rows;
  if (compareInstants(edges.last, deltaAfter) <= 0) return 0;
  if (edges.before !== undefined && compareInstants(edges.before, deltaAfter) > 0)
    return batch.rows;
  const bytes = Buffer.concat(batch.chunks);
  const values =
    encoding === 'copy_binary' ? binaryFirstFields(bytes, lastModified) : textFirstFields(bytes);
  let rows = 0;
  for (const value of values) rows += compareInstants(value, deltaAfter) > 0 ? 1 : 0;
  return rows;
}

function* textFirstFields(bytes: Buffer): Generator<InstantText> {
  for (let start = 0; start < bytes.length; start = bytes.indexOf(0x0a, start) + 1) {
    const tab = bytes.indexOf(0x09, start);
    const newline = bytes.indexOf(0x0a, start);
    yield bytes.toString('latin1', start, tab === -1 ? newline : Math.min(tab, newline));
  }
}

const binaryHeaderBytes = 19;

function* binaryFirstFields(bytes: Buffer, column: SharedColumn): Generator<InstantText> {
  const type = binaryCursorTypeOf(column);
  let at = binaryHeaderBytes;
  for (let fields = bytes.readInt16BE(at); fields !== -1; fields = bytes.readInt16BE(at)) {
    at += 2;
    yield binaryValueText(type, bytes.subarray(at + 4, at + 4 + bytes.readInt32BE(at)));
    for (let field = 0; field < fields; field += 1) at += 4 + Math.max(bytes.readInt32BE(at), 0);
  }
}
