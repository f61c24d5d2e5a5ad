import { Failure } from '../../domain/failure.ts';
import { compareInstants, type InstantText } from '../../domain/instant.ts';
import type { Cursor, Encoding } from '../../domain/load.ts';
import type { SharedColumn } from '../../domain/model.ts';
import { binaryFields } from '../../formats/copy-binary.ts';
import { messageBodies, prefixBytesMax, type CutBatch } from '../../formats/copy-messages.ts';
import { textFields } from '../../formats/copy-text.ts';
import { must } from '../../lib/must.ts';
import type { Batch, ReadRequest } from '../connector.ts';
import { nameOf, type CatalogTable } from './catalog.ts';
import { binaryCursorTypeOf, buildRead, type ReadStatement } from './read-statement.ts';
import type { Session } from './session.ts';
import { setSettings } from './sql.ts';
import { formatOf } from './type-table.ts';

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

export const beginRead = 'begin transaction isolation level read committed read only';

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
  await checkTenant(session, statement);
  yield* cut(session, statement.copy, request);
  await session.script(['commit']);
}

/**
 * Sets what the statement reads. An id that no row can equal is refused: a transfer of nothing would look
 * like a tenant without rows.
 */
export async function checkTenant(
  session: Session,
  { settings, tenantCast }: Pick<ReadStatement, 'settings' | 'tenantCast'>,
): Promise<void> {
  try {
    if (settings.size > 0)
      await session.rows(setSettings([...settings.keys()]), [...settings.values()]);
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
  const { batchBytesMax, batchRowsMax, rowBytesMax, encoding } = request;
  const limits = { format: formatOf(encoding), batchBytesMax, batchRowsMax, rowBytesMax };
  let before = request.resumeAfter?.lastModified ?? request.window.after;
  try {
    for await (const cut of session.copyOut(copy, limits)) {
      const cursor = cursorOf(cut, request);
      const deltaRows = countDelta(cut, { before, last: cursor.lastModified }, request);
      const chunks =
        encoding === 'copy_text' ? [Buffer.concat([...messageBodies(cut.chunks)])] : cut.chunks;
      yield { chunks, bytes: cut.bytes, rows: cut.rows, cursor, deltaRows };
      before = cursor.lastModified;
    }
  } catch (error) {
    throw session.translate(error, {
      table: nameOf(request.relation),
      columns: request.columns.map((one) => one.nameInSource),
    });
  }
}

function cursorOf({ lastRow }: CutBatch, { lastModified, key, encoding }: ReadRequest): Cursor {
  const columns = [lastModified, ...key];
  const fields = firstFields(lastRow, columns, encoding);
  if (fields === undefined) {
    const sentence = `Key and last-modified value are longer than ${prefixBytesMax} bytes.`;
    throw new Failure('limit_reached', sentence, { code: 'KEYS' });
  }
  const nameless = key.find((_, index) => fields[index + 1] === null);
  if (nameless !== undefined) {
    const name = nameless.nameInSource;
    throw new Failure('source_mismatch', `Key column ${name} is null in a row of the source.`, {
      code: 'KEYS',
    });
  }
  const [at, ...values] = fields.map((value) => must(value, 'a value of the cursor'));
  return { lastModified: must(at, 'a last-modified value'), key: values };
}

function firstFields(row: Buffer, columns: readonly SharedColumn[], encoding: Encoding) {
  return formatOf(encoding) === 'binary'
    ? binaryFields(row, columns.map(binaryCursorTypeOf))
    : textFields(row, columns.length);
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
  const bodies = [...messageBodies(batch.chunks)];
  // The first and the last of a binary batch are its header and its trailer.
  const rows = formatOf(encoding) === 'binary' ? bodies.slice(1, -1) : bodies;
  return rows.filter((row) => {
    const [value] = must(firstFields(row, [lastModified], encoding), 'a last-modified value');
    return compareInstants(must(value, 'a last-modified value'), deltaAfter) > 0;
  }).length;
}
