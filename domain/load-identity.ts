import { createHash } from 'node:crypto';
import type { SharedTable } from './model.ts';

/** What a load is a copy of. A connection may change; these may not. */
export interface LoadSubject {
  readonly sourceId: string;
  readonly table: SharedTable;
  readonly tenantId: string;
}

/** A hash of all that makes two loads copies of the same rows. When it changes, the copy starts over. */
export function loadIdentityOf({ sourceId, table, tenantId }: LoadSubject): string {
  const parts = [
    sourceId,
    table.relation.schema ?? '',
    table.relation.table,
    table.key.map(({ nameInSource, nameInDestination }) => [nameInSource, nameInDestination]),
    [table.lastModified.nameInSource, table.lastModified.nameInDestination],
    table.tenantColumn,
    tenantId,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
