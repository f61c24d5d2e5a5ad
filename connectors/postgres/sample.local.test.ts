import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SampleAsk } from '../connector.ts';
import { tableForRead } from '../../domain/source-query.ts';
import { Ends, modelOf } from '../../test/harness/postgres-ends.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
  ['line', 'bigint', 'key'],
  ['amount', 'integer'],
  ['body', 'json'],
  ['note', 'string'],
] as const;

describe.each([12, 18] as const)('a sample on Postgres %i', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  const table = modelOf(columns, { source_table: 'lines' });
  const everything = { after: undefined, upTo: undefined };

  /** What is seen of these rows of `lines`. */
  async function sample(rows: readonly string[], ask: Partial<SampleAsk> = {}) {
    await ends.source
      .query(`drop table if exists lines; create table lines (tenant text, at timestamptz,
      id int, line bigint, amount numeric(9, 0), body json, note varchar(9), secret text)`);
    for (const row of rows) await ends.source.query(`insert into lines values (${row})`);
    await using source = ends.openSource();
    return await source.sample({ table, tenantId: undefined, window: everything, ...ask });
  }

  const good = `'acme', '2026-01-01', 1, 1, 5, '{"a": 1}', 'x'`;
  const ok = { rows: 1, nulls: [], hasRepeatedKey: false, unfit: [] };

  test('rows that fit are counted, a hundred at most', async () => {
    expect(await sample([good])).toEqual(ok);
    expect(await sample([])).toEqual({ ...ok, rows: 0 });
    await sample([good]);
    await ends.source.query(
      `insert into lines select 'acme', now(), n, n, n from generate_series(2, 500) n`,
    );
    await using source = ends.openSource();
    const many = await source.sample({ table, tenantId: 'acme', window: everything });
    expect(many).toEqual({ ...ok, rows: 100 });
  });

  test('a key or stamp that is null, and a key that stands twice for one tenant, are seen', async () => {
    expect(await sample([`'acme', null, 1, null`])).toMatchObject({ nulls: ['line', 'at'] });
    expect(await sample([good, good])).toMatchObject({ hasRepeatedKey: true });
    expect(await sample([good, good.replace('acme', 'globex')])).toMatchObject({
      hasRepeatedKey: false,
    });
  });

  test('a value that its declared type cannot hold names its column, and no others', async () => {
    const nul = String.raw`'{"a": "\u0000"}'`;
    expect(await sample([good, `'acme', now(), 2, 2, 'NaN', '{}'`])).toMatchObject({
      unfit: ['amount'],
    });
    expect(await sample([`'acme', now(), 2, 2, 'NaN', ${nul}`])).toMatchObject({
      unfit: ['amount', 'body'],
    });
  });

  test('it is aimed at one tenant and one window', async () => {
    const rows = [good, `'globex', '2026-03-01', 2, 2, 'NaN'`];
    expect(await sample(rows, { tenantId: 'acme' })).toEqual(ok);
    const window = { after: '2026-01-01 00:00:00+00', upTo: '2026-02-01 00:00:00+00' };
    expect(await sample(rows, { window })).toEqual(ok);
    expect(await sample(rows, { window: { ...window, upTo: undefined } })).toMatchObject({
      rows: 2,
      unfit: ['amount'],
    });
  });

  test('a query is run as a read would run it', async () => {
    const asked = modelOf(columns, {
      source_query: `select l.*, '{{.IdInProviderSystem}}' from lines l where tenant = {{.IdInProviderSystem}}`,
    });
    const ask = { tenantId: 'acme', window: everything, watermark: undefined };
    const rendered = tableForRead(asked, ask);
    const rows = [good, good.replace('acme', 'globex')];
    expect(await sample(rows, { ...ask, table: rendered })).toEqual(ok);
    const broken = modelOf(columns, {
      source_query: 'select l.*, 1 / (l.id - 1) as x from lines l',
    });
    const request = sample(rows, { ...ask, table: tableForRead(broken, ask) });
    await expect(request).resolves.toEqual(ok);
    const failing = modelOf(columns, {
      source_query: 'select l.* from lines l where 1 / (l.id - 1) > 0',
    });
    await expect(sample(rows, { ...ask, table: tableForRead(failing, ask) })).rejects.toMatchObject(
      { kind: 'source_mismatch' },
    );
  });
});

test('rows that do not come in time are said not to have been looked at', async () => {
  await using ends = await Ends.create({ major: 18 });
  await ends.source.query(`create table lines (tenant text, at timestamptz, id int, line bigint,
    amount int, body json, note text)`);
  const slow = modelOf(columns, {
    source_query: 'select l.* from pg_sleep(60), lines l where tenant = {{.IdInProviderSystem}}',
  });
  const ask = { tenantId: 'acme', window: { after: undefined, upTo: undefined } };
  await using source = ends.openSource();
  const table = tableForRead(slow, { ...ask, watermark: undefined });
  await expect(source.sample({ ...ask, table })).rejects.toMatchObject({
    kind: 'source_busy',
    message: expect.stringContaining('did not come within 15 s'),
  });
}, 40_000);
