import { isWidening } from '../../domain/data-type.ts';
import type { EvolutionStep, LiveTable } from '../../domain/evolution.ts';
import type { Encoding, LandedTable, LoadPlan, LoadRecord } from '../../domain/load.ts';
import type { Destination, Finding, Load, SchemaChange } from '../connector.ts';
import { MemoryLoad } from './load.ts';
import { openLoad } from './load-state.ts';
import { checkLogin } from './source.ts';
import { tableOf, type Draft, type MemoryStore } from './store.ts';

/** The customer's side of a store. */
export class MemoryDestination implements Destination {
  private readonly logIn: () => MemoryStore;

  constructor(logIn: () => MemoryStore) {
    this.logIn = logIn;
  }

  async check(): Promise<Finding[]> {
    return [checkLogin(this.logIn)];
  }

  async describe(table: string): Promise<LiveTable | undefined> {
    const found = this.logIn().snapshot().tables.get(table);
    if (found === undefined) return undefined;
    const { key, comment } = found;
    const columns = found.columns.map(({ name, type, description }) => ({
      name,
      type,
      fits: [type],
      comment: description,
    }));
    return { kind: 'table', columns, key, comment };
  }

  async recall(modelId: string): Promise<LoadRecord | undefined> {
    const stored = this.logIn().snapshot().loads.get(modelId);
    if (stored === undefined) return undefined;
    const { finished: _, ...record } = stored;
    return record;
  }

  accepts(_table: LandedTable, _offered: readonly Encoding[]): Encoding {
    return 'copy_text';
  }

  async apply({ modelId, table, steps }: SchemaChange): Promise<void> {
    const store = this.logIn();
    for (const step of steps) store.transact((draft) => applyStep(draft, step));
    store.transact((draft) => {
      const stored = draft.loads.get(modelId);
      if (stored !== undefined) draft.loads.set(modelId, { ...stored, appliedTable: table });
    });
  }

  async open(plan: LoadPlan): Promise<Load> {
    const store = this.logIn();
    store.transact((draft) => openLoad(draft, plan, store.now));
    return new MemoryLoad(store, plan);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A step that is already true changes nothing. */
function applyStep(draft: Draft, step: EvolutionStep): void {
  switch (step.kind) {
    case 'create_schema':
      return;
    case 'create_table': {
      const { name, columns, key, description: comment } = step.table;
      if (!draft.tables.has(name)) draft.tables.set(name, { columns, key, comment, rows: [] });
      return;
    }
    case 'add_column': {
      const table = tableOf(draft, step.table);
      if (table.columns.some(({ name }) => name === step.column.name)) return;
      const rows = table.rows.map((row) => ({ ...row, [step.column.name]: null }));
      draft.tables.set(step.table, { ...table, columns: [...table.columns, step.column], rows });
      return;
    }
    case 'widen_column': {
      const table = tableOf(draft, step.table);
      const { name, type } = step.column;
      const columns = table.columns.map((column) =>
        column.name === name && isWidening(column.type, type) ? { ...column, type } : column,
      );
      draft.tables.set(step.table, { ...table, columns });
      return;
    }
    case 'comment_table':
      draft.tables.set(step.table, { ...tableOf(draft, step.table), comment: step.comment });
      return;
    case 'comment_column': {
      const table = tableOf(draft, step.table);
      const columns = table.columns.map((column) =>
        column.name === step.column ? { ...column, description: step.comment } : column,
      );
      draft.tables.set(step.table, { ...table, columns });
    }
  }
}
