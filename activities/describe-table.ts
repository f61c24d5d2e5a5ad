import { toFailure } from '../domain/failure.ts';
import { parseRelation } from '../domain/model.ts';
import type { TableReport } from '../domain/probe.ts';
import type { StepDeps } from './deps.ts';
import { openSource } from './ends.ts';

/** The columns of a table of a source, for a model to be made of them. */
export async function describeTable(
  deps: StepDeps,
  { connectionId, table }: { connectionId: string; table: string },
): Promise<TableReport> {
  try {
    await using source = await openSource(deps, { sourceConnectionId: connectionId });
    const columns = await source.describe(parseRelation(table));
    return { kind: 'table', columns, errors: [] };
  } catch (error) {
    const { code, message } = toFailure(error);
    const errors = [{ path: 'source_table', code: code.toLowerCase(), message }];
    return { kind: 'table', columns: [], errors };
  }
}
