import type { LandedColumn, LandedTable } from './load.ts';
import type { SharedColumn, SharedTable } from './model.ts';

/** The table that a model makes at a destination: key columns first, the others in model order. */
export function landedTableOf(table: SharedTable): LandedTable {
  const others = table.modelOrder.filter((column) => !table.key.includes(column));
  return {
    name: table.destinationTable,
    description: table.description,
    columns: [...table.key, ...others].map(toLanded),
    key: table.key.map((column) => column.nameInDestination),
    ...(table.allowWidening && { allowWidening: true }),
  };
}

function toLanded(column: SharedColumn): LandedColumn {
  return { name: column.nameInDestination, type: column.type, description: column.description };
}
