import { describe, expect, test } from 'vitest';
import { planEvolution, type EvolutionStep, type LiveTable } from './evolution.ts';
import { isWidening, logicalTypes, type LogicalType } from './data-type.ts';
import type { LandedTable } from './load.ts';

const wanted: LandedTable = {
  name: 'orders',
  description: 'One row per order',
  columns: [
    { name: 'id', type: 'bigint', description: undefined },
    { name: 'changed_at', type: 'timestamp', description: 'When it changed' },
    { name: 'extra', type: 'json', description: undefined },
  ],
  key: ['id'],
};

const live: LiveTable = {
  kind: 'table',
  columns: [
    { name: 'id', type: 'int8', fits: ['bigint'], comment: undefined },
    { name: 'changed_at', type: 'timestamptz', fits: ['timestamp'], comment: 'When it changed' },
    { name: 'extra', type: 'jsonb', fits: ['json', 'array'], comment: undefined },
  ],
  key: ['id'],
  comment: 'One row per order',
};

function withoutColumn(name: string): LiveTable {
  return { ...live, columns: live.columns.filter((column) => column.name !== name) };
}

describe('steps', () => {
  function check(
    changed: Partial<LandedTable>,
    table: LiveTable | undefined,
    expected: EvolutionStep[],
  ) {
    expect(planEvolution({ ...wanted, ...changed }, table)).toEqual(expected);
  }

  test('no table: the schema and the table', () => {
    check({}, undefined, [{ kind: 'create_schema' }, { kind: 'create_table', table: wanted }]);
  });

  test('the table as it should be: nothing', () => {
    check({}, live, []);
  });

  test('a missing column is added, with its comment', () => {
    const column = wanted.columns[1];
    check({}, withoutColumn('changed_at'), [
      { kind: 'add_column', table: 'orders', column: column! },
      { kind: 'comment_column', table: 'orders', column: 'changed_at', comment: 'When it changed' },
    ]);
  });

  test('a changed description is written, a removed one left', () => {
    check({ description: 'Orders' }, live, [
      { kind: 'comment_table', table: 'orders', comment: 'Orders' },
    ]);
    check({ description: undefined }, live, []);
  });

  test('columns of the customer, removed columns and their order are left alone', () => {
    const theirs = { name: 'theirs', type: 'point', fits: [], comment: undefined };
    check({}, { ...live, columns: [theirs, ...live.columns.toReversed()] }, []);
    check({ columns: wanted.columns.slice(0, 2) }, live, []);
  });

  const as = (type: LogicalType): Partial<LandedTable> => ({
    columns: wanted.columns.map((column) =>
      column.name === 'extra' ? { ...column, type } : column,
    ),
  });
  const liveAs = (type: LogicalType): LiveTable => ({
    ...live,
    columns: live.columns.map((column) =>
      column.name === 'extra' ? { ...column, type, fits: [type] } : column,
    ),
  });

  test('a column is widened where the model allows it and every value fits', () => {
    const column = { name: 'extra', type: 'bigint' as const, description: undefined };
    check({ ...as('bigint'), allowWidening: true }, liveAs('integer'), [
      { kind: 'widen_column', table: 'orders', column },
    ]);
  });

  test('a column that a later revision widened is never cut down again', () => {
    check(as('integer'), liveAs('bigint'), []);
    check({ ...as('integer'), allowWidening: true }, liveAs('bigint'), []);
  });

  test('a type that two logical types share fits both', () => {
    check(
      {
        columns: wanted.columns.map((column) =>
          column.name === 'extra' ? { ...column, type: 'array' } : column,
        ),
      },
      live,
      [],
    );
  });
});

describe('refusals', () => {
  function check(table: LiveTable, message: RegExp) {
    expect(() => planEvolution(wanted, table)).toThrow(
      expect.objectContaining({ kind: 'schema_conflict', message: expect.stringMatching(message) }),
    );
  }

  test('a column of another type, saying what it is and what it should be', () => {
    const extra = { name: 'extra', type: 'text', fits: ['string' as const], comment: undefined };
    check(
      { ...withoutColumn('extra'), columns: [...withoutColumn('extra').columns, extra] },
      /extra.*is text.*json/,
    );
  });

  test('a column to be widened without the switch, naming the switch', () => {
    const [, changedAt, extra] = live.columns;
    const narrow = { ...extra!, type: 'int4', fits: ['integer' as const] };
    const columns = wanted.columns.map((column) =>
      column.name === 'extra' ? { ...column, type: 'bigint' as const } : column,
    );
    expect(() =>
      planEvolution(
        { ...wanted, columns },
        { ...live, columns: [live.columns[0]!, changedAt!, narrow] },
      ),
    ).toThrow(/extra .*is int4; the model says bigint\. Set allow_widening/);
  });

  test('any other change of a type, switch or not', () => {
    for (const from of logicalTypes) {
      for (const to of logicalTypes) {
        if (from === to || isWidening(from, to) || isWidening(to, from)) continue;
        const column = { name: 'extra', type: to, description: undefined };
        const columns = [...wanted.columns.slice(0, 2), column];
        const table = {
          ...withoutColumn('extra'),
          columns: [
            ...withoutColumn('extra').columns,
            { ...column, fits: [from], comment: undefined },
          ],
        };
        expect(() => planEvolution({ ...wanted, columns, allowWidening: true }, table)).toThrow(
          /Change it back/,
        );
      }
    }
  });

  test('another primary key, or none', () => {
    check({ ...live, key: ['extra'] }, /\(extra\).*\(id\)/);
    check({ ...live, key: ['id', 'extra'] }, /\(id, extra\).*\(id\)/);
    check({ ...live, key: [] }, /lost its primary key \(id\)/);
  });

  test('a view in place of the table', () => {
    check({ ...live, kind: 'other' }, /not a plain table/);
  });
});

test('applying the steps leads to a table that needs none', () => {
  const bare = { ...live, columns: [live.columns[0]!], comment: undefined };
  const columns = planEvolution(wanted, bare).reduce<LiveTable>(
    (table, step) => applyStep(table, step),
    bare,
  );
  expect(planEvolution(wanted, columns)).toEqual([]);
});

function applyStep(table: LiveTable, step: EvolutionStep): LiveTable {
  switch (step.kind) {
    case 'add_column': {
      const { name, type } = step.column;
      return {
        ...table,
        columns: [...table.columns, { name, type, fits: [type], comment: undefined }],
      };
    }
    case 'comment_column':
      return {
        ...table,
        columns: table.columns.map((column) =>
          column.name === step.column ? { ...column, comment: step.comment } : column,
        ),
      };
    case 'comment_table':
      return { ...table, comment: step.comment };
    default:
      return table;
  }
}
