import type { InstantText } from '../../domain/instant.ts';
import type { LoadPlan } from '../../domain/load.ts';
import type { LoadClose } from '../connector.ts';
import { mergeRows } from './rows.ts';
import { memoryColumn, type Draft, type MemoryTable, type Row } from './store.ts';

/** The table that tells the customer when which data was last loaded. */
const statusTable = '_transfer_status';

const emptyTable: MemoryTable = {
  columns: [
    memoryColumn('table_name', 'string'),
    memoryColumn('model_name', 'string'),
    memoryColumn('transfer_last_updated_at', 'timestamp'),
    memoryColumn('transfer_id', 'string'),
    memoryColumn('transfer_type', 'string'),
    memoryColumn('rows_transferred', 'bigint'),
    memoryColumn('last_modified_watermark', 'timestamp'),
  ],
  key: ['table_name'],
  comment: undefined,
  rows: [],
};

interface StatusEntry {
  readonly plan: LoadPlan;
  readonly close: LoadClose;
  readonly greatest: InstantText | undefined;
  readonly now: InstantText;
}

/** Puts the model's row in the place of the one before, in the transaction of the data. */
export function recordStatus(draft: Draft, { plan, close, greatest, now }: StatusEntry): void {
  const table = draft.tables.get(statusTable) ?? emptyTable;
  const row: Row = {
    table_name: plan.table.name,
    model_name: plan.modelName,
    transfer_last_updated_at: now,
    transfer_id: plan.transferId,
    transfer_type: close.isFullRefresh ? 'FULL_REFRESH' : 'INCREMENTAL',
    rows_transferred: String(close.rowsTransferred),
    last_modified_watermark: greatest ?? null,
  };
  const { rows } = mergeRows(table.rows, [row], table.key);
  draft.tables.set(statusTable, { ...table, rows });
}
