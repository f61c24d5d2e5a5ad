import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodings } from '../../domain/load.ts';
import { tableForRead } from '../../domain/source-query.ts';
import { Ends, going, modelOf } from '../../test/harness/postgres-ends.ts';

const columns = [
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
  ['amount', 'decimal'],
] as const;
const everything = { window: { after: undefined, upTo: undefined }, watermark: undefined };

const queryOf = (source_query: string, more = {}) => modelOf(columns, { source_query, ...more });

describe.each([12, 18] as const)('source queries on Postgres %i', (major) => {
  let ends: Ends;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query(
      `create table country (tenant text, account int, country text);
       create table things (tenant text, account int, id int primary key, amount numeric, at timestamptz);
       insert into country values ('acme', 1, 'IS'), ('globex', 2, 'NO');
       insert into things select case when n % 2 = 0 then 'acme' else 'globex' end, 1 + n % 2, n, n / 4.0,
         timestamptz '2026-01-01' + n * interval '1 s' from generate_series(1, 20) n`,
    );
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  async function idsOf(
    source_query: string,
    tenantId: string,
    more: object = {},
  ): Promise<string[]> {
    const table = tableForRead(queryOf(source_query), { tenantId, ...everything });
    const tenant = { column: 'tenant', id: tenantId };
    const request = ends.request(table, { tenant, encoding: 'copy_text', ...more });
    await using source = ends.openSource();
    const batches = await Array.fromAsync(source.read(request, going));
    const text = Buffer.concat(batches.flatMap(({ chunks }) => chunks)).toString();
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('\t')[1] ?? '');
  }

  const evens = Array.from({ length: 10 }, (_, index) => String(2 * index + 2));

  test('a query that ignores the placeholders still yields the tenant alone', async () => {
    expect(await idsOf('select * from things', 'acme')).toEqual(evens);
  });

  test('a join, a comment at the end and a semicolon are read like a table', async () => {
    const sql = `with c as (select * from country)
      select t.*, c.country from things t join c using (tenant)
      where t.tenant = '{{.IdInProviderSystem}}' and extract(epoch from t.at) >= {{.LastModifiedAtEpoch}}
      {{with .LastModifiedAtEpochUpperBound}}and extract(epoch from t.at) < {{.}}{{end}}; -- the end`;
    expect(await idsOf(sql, 'acme')).toEqual(evens);
  });

  test('a result without the tenant column is taken where the query names the tenant', async () => {
    const own = 'select id, amount, at from things where tenant = {{.IdInProviderSystem}}';
    expect(await idsOf(own, 'acme')).toEqual(evens);
    await expect(idsOf('select id, amount, at from things', 'acme')).rejects.toMatchObject({
      kind: 'source_mismatch',
      code: 'MISS',
    });
  });

  test('a placeholder outside of quotes takes the type of what it is compared with', async () => {
    const sql =
      'select account::text as tenant, id, amount, at from things where account = {{.IdInProviderSystem}}';
    expect(await idsOf(sql, '1')).toEqual(evens);
  });

  test('a read goes on after any row, in every encoding, with the same values', async () => {
    const sql = `select t.*, amount * 3 as more from things t`;
    const table = tableForRead(queryOf(sql), { tenantId: 'acme', ...everything });
    await using source = ends.openSource();
    expect((await source.encodings(table)).toSorted()).toEqual(encodings.toSorted());
    for (const encoding of encodings) {
      const rows: string[] = [];
      let resumeAfter: { lastModified: string; key: readonly string[] } | undefined;
      for (let more = true; more;) {
        more = false;
        const request = ends.request(table, { encoding, resumeAfter, batchRowsMax: 3 });
        await using one = ends.openSource();
        for await (const batch of one.read(request, going)) {
          rows.push(...Array.from({ length: batch.rows }, () => encoding));
          resumeAfter = batch.cursor;
          more = true;
          break;
        }
      }
      expect(rows).toHaveLength(10);
      expect(resumeAfter?.key).toEqual(['20']);
    }
  });

  test('columns and types are asked of the source, and two of one name are refused', async () => {
    await using source = ends.openSource();
    const relation = tableForRead(
      queryOf(
        `select 1::bigint as id, now()::timestamptz(3) as at, 'x' as note, null::varchar(7) as c`,
      ),
      { tenantId: 'acme', ...everything },
    ).relation;
    const found = await source.describe(relation);
    expect(found.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id bigint',
      'at timestamp(3) with time zone',
      'note text',
      'c character varying(7)',
    ]);
    const twice = tableForRead(queryOf('select 1 as id, 2 as id'), {
      tenantId: 'a',
      ...everything,
    });
    await expect(source.describe(twice.relation)).rejects.toThrow('two columns named id');
  });

  test('a query is read with the guarantee of the lookback, and says why', async () => {
    await using source = ends.openSource();
    const table = tableForRead(queryOf('select * from things'), {
      tenantId: 'acme',
      ...everything,
    });
    expect(await source.fence(table, undefined)).toMatchObject({
      guarantee: 'lookback',
      reason: expect.stringContaining('query'),
    });
  });

  test('the final statement and its plan are shown without the tenant, whatever it is', async () => {
    const sql = `select t.*, '{{.IdInProviderSystem}}' as who from things t
      where tenant = {{.IdInProviderSystem}} or account::text = '{{.IdInProviderSystem}}'`;
    await using source = ends.openSource();
    const check = async (tenantId: string) => {
      const table = tableForRead(queryOf(sql), { tenantId, ...everything });
      const tenant = { column: 'tenant', id: tenantId };
      const shown = await source.explain(ends.request(table, { tenant }), { withPlan: true });
      expect(shown.sql).toContain(`'***' as who`);
      expect(shown.sql).toContain(`current_setting('waybill.tenant')`);
      expect(shown.plan).toContain('Scan on things t');
      expect(`${shown.sql}${shown.plan}`).not.toContain('neil');
      expect(shown.plan).not.toMatch(/\b4711\b/);
    };
    for (const id of [`o'neil`, `\\'neil`, `neil\n`, "E'neil'", '4711']) await check(id);
    const numbered = 'select * from things where account = {{.IdInProviderSystem}}';
    const table = tableForRead(queryOf(numbered), { tenantId: '4711', ...everything });
    const tenant = { column: 'tenant', id: '4711' };
    const shown = await source.explain(ends.request(table, { tenant }), { withPlan: true });
    expect(shown.plan).toContain('account = ***');
  });

  test('a query writes nothing', async () => {
    await ends.source.query(`create or replace function grab() returns int language sql volatile
      as 'insert into country values (''x'', 9, ''x'') returning account'`);
    await expect(idsOf('select grab() as account, * from things', 'acme')).rejects.toThrow();
    const { rows } = await ends.source.query('select from country');
    expect(rows).toHaveLength(2);
  });

  describe.each(['on', 'off'])('with standard_conforming_strings %s', (conforming) => {
    beforeAll(async () => {
      const name = `"${ends.from.name}"`;
      await ends.source.query(
        `alter database ${name} set standard_conforming_strings = ${conforming}`,
      );
    });

    test('no tenant id changes what a query means', async () => {
      const sql = `select {{.IdInProviderSystem}}::text as tenant,
        1 as id, 1.0 as amount, timestamptz '2026-01-01' as at,
        '{{.IdInProviderSystem}}' as plain, 'it''s {{.IdInProviderSystem}}\\' as framed, E'{{.IdInProviderSystem}}' as escaped
        -- {{.IdInProviderSystem}}
        /* {{.IdInProviderSystem}} /* */ */ where {{.IdInProviderSystem}} = '{{.IdInProviderSystem}}'`;
      const model = modelOf(
        [...columns, ['plain', 'string'], ['framed', 'string'], ['escaped', 'string']],
        { source_query: sql },
      );
      await using source = ends.openSource();
      const check = async (tenantId: string) => {
        const table = tableForRead(model, { tenantId, ...everything });
        const tenant = { column: 'tenant', id: tenantId };
        const [batch, ...more] = await Array.fromAsync(
          source.read(ends.request(table, { tenant, encoding: 'copy_text' }), going),
        );
        expect(more).toEqual([]);
        expect(batch?.rows).toBe(1);
        const fields = Buffer.concat([...(batch?.chunks ?? [])])
          .toString()
          .slice(0, -1)
          .split('\t');
        expect(fields.slice(3).map(unescaped)).toEqual([tenantId, `it's ${tenantId}\\`, tenantId]);
      };
      for (const id of hostile) await check(id);
      await fc.assert(fc.asyncProperty(tenantIds, check), { numRuns: 150 });
    });
  });
});

const hostile = [
  `' or true --`,
  `\\' or true --`,
  `*/ union all select * from things /*`,
  `\n; drop table things; --`,
  `$$ $x$ {{.Schema}} %s $1`,
  `''''`,
  `\\`,
  `é漢字🙂\u00a0\u2028`,
  `'\\"`.repeat(3334),
];

/** Texts of the characters that mean something to some lexer, and of any other. */
const tenantIds = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        `'`,
        `''`,
        `\\`,
        `"`,
        '$',
        '$$',
        '--',
        '/*',
        '*/',
        ';',
        '\n',
        '\r',
        '\t',
        'E',
        '{{',
        '}}',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((parts) => parts.join(''))
  .filter((id) => id !== '' && !id.includes('\0') && id.isWellFormed());

function unescaped(field: string): string {
  const marks: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
  return field.replace(/\\(.)/gs, (_, mark: string) => marks[mark] ?? mark);
}
