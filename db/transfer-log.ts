import { asc, inArray, sql } from 'drizzle-orm';
import type { Db } from './database.ts';
import { transferLog } from './transfer-schema.ts';

/** Lines shown per transfer, the newest ones; all are kept. */
export const logLinesMax = 1000;

/**
 * Adds a line for people. Never a value of a row, never a secret. A debug line is kept only where the
 * transfer asked for them.
 */
export async function appendLog(
  db: Db,
  input: { transferId: string; line: string; isDebug?: boolean | undefined },
): Promise<void> {
  const { transferId, line, isDebug = false } = input;
  await db.execute(/*sql*/ sql`
    insert into transfer_log (transfer_id, at, line, is_debug)
    select id, clock_timestamp(), ${line}, ${isDebug}::boolean
    from transfers
    where id = ${transferId} and (is_debug_mode or not ${isDebug}::boolean)
  `);
}

/**
 * The log of each transfer as plain text, one line per event, oldest first: `<RFC 3339> <line>`. The
 * caller has checked that the transfers are in its scope.
 */
export async function readLogs(
  db: Db,
  input: { transferIds: readonly string[] },
): Promise<Map<string, string>> {
  const numbered = db.$with('numbered').as(
    db
      .select({
        id: transferLog.id,
        transferId: transferLog.transferId,
        at: transferLog.at,
        line: transferLog.line,
        rank: sql<number>`row_number() over (partition by transfer_id order by id desc)`
          .mapWith(Number)
          .as('rank'),
      })
      .from(transferLog)
      .where(inArray(transferLog.transferId, [...input.transferIds])),
  );
  const lines = await db
    .with(numbered)
    .select()
    .from(numbered)
    .where(sql`${numbered.rank} <= ${logLinesMax + 1}`)
    .orderBy(asc(numbered.id));
  const byTransfer = Map.groupBy(lines, ({ transferId }) => transferId);
  const logOf = (id: string) => (byTransfer.get(id) ?? []).map(toText).join('\n');
  return new Map(input.transferIds.map((id) => [id, logOf(id)]));
}

function toText({ at, line, rank }: { at: Date; line: string; rank: number }): string {
  return rank > logLinesMax ? '… older lines are left out.' : `${at.toISOString()} ${line}`;
}
