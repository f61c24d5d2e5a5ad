import { compareEpochs } from '../../domain/epoch.ts';
import { Failure } from '../../domain/failure.ts';
import type { Removal } from '../connector.ts';
import { keyArrays, landedRows, removeStatement } from './compared-rows.ts';
import { loadRowColumns, parseLoadRow, recordOf } from './record.ts';
import type { Session } from './session.ts';
import { qualified } from './sql.ts';
import { loadTable, lockTimeout } from './tables.ts';
import { lookupSettings } from './writing.ts';

/**
 * Takes rows away that their source does not have. The row of the model's loads is held meanwhile: every
 * batch has to change it in its own transaction, so no load can bring a row between the look at the source,
 * which came after `epoch`, and the end of this.
 */
export async function removeRows(
  session: Session,
  schema: string,
  removal: Removal,
): Promise<number> {
  const { modelId, owner, epoch, table, rows } = removal;
  return await session.transaction(
    async () => {
      const [held] = await session.rows(
        /*sql*/ `select ${loadRowColumns} from ${qualified(schema, loadTable)}
          where model_id = $1 for update`,
        [modelId],
      );
      const record = held === undefined ? undefined : recordOf(parseLoadRow(held));
      const isAsItWas =
        record?.owner === owner &&
        record.unfinished === undefined &&
        compareEpochs(record.epoch, epoch) === 0;
      if (!isAsItWas) throw loadedMeanwhile(table.destinationTable);
      const keys = keyArrays(
        rows.map(({ key }) => key),
        table.key.length,
      );
      const statement = removeStatement(landedRows(schema, table));
      return await session.run(statement, [...keys, rows.map(({ hash }) => hash)]);
    },
    { settings: [lockTimeout, ...lookupSettings] },
  );
}

function loadedMeanwhile(table: string): Failure {
  const sentence = `A transfer of ${table} runs or ran meanwhile, so no row was removed. Ask again when it has ended.`;
  return new Failure('destination_busy', sentence);
}
