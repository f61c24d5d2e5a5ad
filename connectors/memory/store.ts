import type { LogicalType } from '../../domain/data-type.ts';
import { instantFromMicros, instantMicros, type InstantText } from '../../domain/instant.ts';
import type { LandedColumn } from '../../domain/load.ts';
import { BrokenAssumption, must } from '../../lib/must.ts';
import type { StoredLoad } from './load-state.ts';

/** Values as canonical text, by column. A row is never changed, only replaced. */
export type Row = Readonly<Record<string, string | null>>;

export interface MemoryTable {
  readonly columns: readonly LandedColumn[];
  readonly key: readonly string[];
  readonly comment: string | undefined;
  readonly rows: readonly Row[];
}

/**
 * All that is committed at one moment. Nothing in it is ever changed, so to keep it is to have a
 * snapshot.
 */
export interface Snapshot {
  readonly tables: ReadonlyMap<string, MemoryTable>;
  /** What has landed of each model, by model id: `_waybill_load` of a real destination. */
  readonly loads: ReadonlyMap<string, StoredLoad>;
}

/** The next snapshot in the making. */
export interface Draft {
  readonly tables: Map<string, MemoryTable>;
  readonly loads: Map<string, StoredLoad>;
}

/**
 * A database in the memory of this process: what the memory connector reaches in place of a server. Every
 * change is a transaction, and its clock stands still until somebody moves it.
 */
export class MemoryStore {
  readonly password: string | undefined;
  private committed: Snapshot = { tables: new Map(), loads: new Map() };
  private nowMicros = instantMicros('2026-01-01 00:00:00+00');
  private readonly open = new Set<MemoryTransaction>();

  constructor(password: string | undefined) {
    this.password = password;
  }

  get now(): InstantText {
    return instantFromMicros(this.nowMicros);
  }

  advance(seconds: number): void {
    this.nowMicros += BigInt(seconds) * 1_000_000n;
  }

  snapshot(): Snapshot {
    return this.committed;
  }

  /** A transaction in one step: all of the change, or nothing of it where it throws. */
  transact<T>(change: (draft: Draft) => T): T {
    const draft = { tables: new Map(this.committed.tables), loads: new Map(this.committed.loads) };
    const result = change(draft);
    this.committed = draft;
    return result;
  }

  /** A transaction that stays open: nobody sees what it does until it commits. */
  begin(): MemoryTransaction {
    const transaction = new MemoryTransaction(this, this.now, () => this.open.delete(transaction));
    this.open.add(transaction);
    return transaction;
  }

  /** When the oldest of the open transactions began. */
  oldestOpenAt(): InstantText | undefined {
    return this.open.values().next().value?.begunAt;
  }

  createTable(name: string, table: Omit<MemoryTable, 'rows' | 'comment'>): void {
    this.transact((draft) => draft.tables.set(name, { ...table, comment: undefined, rows: [] }));
  }

  rows(table: string): readonly Row[] {
    return must(this.committed.tables.get(table), `table ${table}`).rows;
  }
}

/** Changes that become visible together, at the commit, with the stamps they were given before it. */
export class MemoryTransaction {
  readonly begunAt: InstantText;
  private readonly store: MemoryStore;
  private readonly leave: () => void;
  private readonly changes: ((draft: Draft) => void)[] = [];

  constructor(store: MemoryStore, begunAt: InstantText, leave: () => void) {
    this.store = store;
    this.begunAt = begunAt;
    this.leave = leave;
  }

  /** Adds a row, whatever rows of its key are there. */
  insert(table: string, row: Row): void {
    this.changes.push((draft) => changeRows(draft, table, (rows) => [...rows, row]));
  }

  /** Puts the row in the place of the one with its key. */
  upsert(table: string, row: Row): void {
    this.delete(table, row);
    this.insert(table, row);
  }

  /** Deletes the row that has the same key. */
  delete(table: string, like: Row): void {
    this.changes.push((draft) => {
      const { key } = tableOf(draft, table);
      const isLike = (row: Row) => key.every((column) => row[column] === like[column]);
      changeRows(draft, table, (rows) => rows.filter((row) => !isLike(row)));
    });
  }

  commit(): void {
    this.leave();
    this.store.transact((draft) => {
      for (const change of this.changes) change(draft);
    });
  }

  rollback(): void {
    this.leave();
  }
}

/** @throws BrokenAssumption where there is none. */
export function tableOf(draft: Draft, name: string): MemoryTable {
  const table = draft.tables.get(name);
  if (table === undefined) throw new BrokenAssumption(`missing: table ${name}`);
  return table;
}

export function changeRows(
  draft: Draft,
  name: string,
  change: (rows: readonly Row[]) => readonly Row[],
): void {
  const table = tableOf(draft, name);
  draft.tables.set(name, { ...table, rows: change(table.rows) });
}

/** A column for a test's own tables. */
export function memoryColumn(name: string, type: LogicalType): LandedColumn {
  return { name, type, description: undefined };
}

const stores = new Map<string, MemoryStore>();

/** Starts an empty store under a name, in the place of one that had it. */
export function createMemoryStore(name: string, password?: string): MemoryStore {
  const store = new MemoryStore(password);
  stores.set(name, store);
  return store;
}

export function findMemoryStore(name: string): MemoryStore | undefined {
  return stores.get(name);
}
