import { Failure } from './failure.ts';
import { isWidening, type LogicalType } from './data-type.ts';
import type { LandedColumn, LandedTable } from './load.ts';

/** One additive change. Applying a step that is already true changes nothing. */
export type EvolutionStep =
  | { readonly kind: 'create_schema' }
  | { readonly kind: 'create_table'; readonly table: LandedTable }
  | { readonly kind: 'add_column'; readonly table: string; readonly column: LandedColumn }
  | { readonly kind: 'widen_column'; readonly table: string; readonly column: LandedColumn }
  | { readonly kind: 'comment_table'; readonly table: string; readonly comment: string }
  | {
      readonly kind: 'comment_column';
      readonly table: string;
      readonly column: string;
      readonly comment: string;
    };

/** A column as it really is at a destination. `logical` is undefined where no logical type lands as it. */
export interface LiveColumn {
  readonly name: string;
  /** The type in the destination's own words, for messages. */
  readonly type: string;
  /** The logical types that land as this type: `jsonb` is what both `json` and `array` become. */
  readonly fits: readonly LogicalType[];
  readonly comment: string | undefined;
}

export interface LiveTable {
  readonly kind: 'table' | 'other';
  readonly columns: readonly LiveColumn[];
  /** Key columns; empty where the table has no primary key. */
  readonly key: readonly string[];
  readonly comment: string | undefined;
}

/**
 * The additive steps from the live table to the wanted one. Columns that the customer added, and
 * columns that a later revision added already, are left alone: there is never a step back.
 * @throws Failure `schema_conflict` when something stands in the way: what it is and what it should be
 */
export function planEvolution(wanted: LandedTable, live: LiveTable | undefined): EvolutionStep[] {
  if (live === undefined)
    return [{ kind: 'create_schema' }, { kind: 'create_table', table: wanted }];
  checkShape(wanted, live);
  const steps: EvolutionStep[] = [];
  for (const column of wanted.columns) {
    const existing = live.columns.find(({ name }) => name === column.name);
    if (existing === undefined) {
      steps.push({ kind: 'add_column', table: wanted.name, column });
    } else if (mustWiden(wanted, column, existing)) {
      steps.push({ kind: 'widen_column', table: wanted.name, column });
    }
    const comment = column.description;
    if (comment !== undefined && comment !== existing?.comment) {
      steps.push({ kind: 'comment_column', table: wanted.name, column: column.name, comment });
    }
  }
  if (wanted.description !== undefined && wanted.description !== live.comment) {
    steps.push({ kind: 'comment_table', table: wanted.name, comment: wanted.description });
  }
  return steps;
}

/** What counts as applied once a table has been: columns of other revisions stand beside its own. */
export function appliedAfter(before: LandedTable | undefined, table: LandedTable): LandedTable {
  if (before?.name !== table.name) return table;
  const others = before.columns.filter(
    ({ name }) => !table.columns.some((column) => column.name === name),
  );
  return others.length === 0 ? table : { ...table, columns: [...table.columns, ...others] };
}

/**
 * A column that was applied before and is missing has been dropped by hand. Added again it would stay
 * empty in all rows but those that change, so only a full refresh may do that.
 * @throws Failure `schema_conflict`
 */
export function checkNotDropped(
  steps: readonly EvolutionStep[],
  applied: LandedTable | undefined,
): void {
  for (const step of steps) {
    if (step.kind !== 'add_column') continue;
    const { name } = step.column;
    if (!applied?.columns.some((column) => column.name === name)) continue;
    throw new Failure(
      'schema_conflict',
      `Column ${name} of table ${step.table} at the destination has been dropped. ` +
        'Ask for a full refresh: it adds the column with its values.',
    );
  }
}

function checkShape(wanted: LandedTable, live: LiveTable): void {
  if (live.kind !== 'table') {
    throw new Failure(
      'schema_conflict',
      `${wanted.name} at the destination is not a plain table. Rename it, then ask for a full refresh.`,
    );
  }
  const same =
    live.key.length === wanted.key.length && wanted.key.every((name) => live.key.includes(name));
  if (!same) {
    const key = wanted.key.join(', ');
    throw new Failure(
      'schema_conflict',
      live.key.length === 0
        ? `Table ${wanted.name} at the destination has lost its primary key (${key}). Add it again.`
        : `Table ${wanted.name} at the destination has the primary key (${live.key.join(', ')}); it should be (${key}).`,
    );
  }
}

/**
 * One that is wider already holds all that comes: a later revision than this one widened it, and there is
 * never a step back.
 */
function mustWiden(wanted: LandedTable, column: LandedColumn, { fits, type }: LiveColumn): boolean {
  if (fits.some((fit) => fit === column.type || isWidening(column.type, fit))) return false;
  const canWiden = fits.some((fit) => isWidening(fit, column.type));
  if (canWiden && wanted.allowWidening) return true;
  const remedy = canWiden
    ? 'Set allow_widening in the model, and the next transfer widens it.'
    : 'Change it back, or drop the column and ask for a full refresh: it adds the column with its values.';
  throw new Failure(
    'schema_conflict',
    `Column ${column.name} of table ${wanted.name} at the destination is ${type}; ` +
      `the model says ${column.type}. ${remedy}`,
  );
}
