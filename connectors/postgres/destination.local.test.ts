import { chown, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SharedTable } from '../../domain/model.ts';
import { must } from '../../lib/must.ts';
import { createCertificate } from '../../test/harness/certificate.ts';
import {
  connectAs,
  directReach,
  Ends,
  epochOf,
  going,
  modelOf,
  settingsOf,
} from '../../test/harness/postgres-ends.ts';
import { startPrivatePostgres } from '../../test/harness/postgres-process.ts';
import { openDestination } from './destination.ts';

describe.each([12, 18] as const)('a destination on Postgres %i', (major) => {
  let ends: Ends;
  let table: SharedTable;
  let model = 0;

  beforeAll(async () => {
    ends = await Ends.create({ major });
    await ends.source.query(
      'create table things (tenant text, at timestamptz, id int primary key, note text)',
    );
    await ends.source.query(`insert into things values ('acme', '2026-01-01', 1, 'canary')`);
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  beforeEach(() => {
    model += 1;
    table = modelOf(
      [
        ['at', 'timestamp', 'last_modified'],
        ['id', 'integer', 'key'],
        ['note', 'string'],
      ],
      { model_name: `things_${model}` },
    );
  });

  const live = () => `landed.things_${model}`;
  const merge = () => ({ mode: 'merge', transferId: 'two', epoch: epochOf(2) }) as const;

  const sessions = async (query: string) => {
    const { rows } = await ends.destination.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = current_database()
        and application_name = 'waybill-write' and state = 'active' and query like $1`,
      [query],
    );
    return rows[0]?.count;
  };

  test('several models that begin together in a new schema all succeed', async () => {
    const landing = Array.from({ length: 6 }, (_, index) => {
      const one = modelOf(
        [
          ['at', 'timestamp', 'last_modified'],
          ['id', 'integer', 'key'],
        ],
        { model_name: `at_once_${index}` },
      );
      return (async () => {
        await using destination = ends.openDestination({ schema: `together_${major}` });
        const load = await destination.open(ends.plan(one), going);
        return await load.finish(ends.close(), going);
      })();
    });
    expect(await Promise.all(landing)).toHaveLength(6);
  });

  test('tells the customer what its own tables are for', async () => {
    await ends.land(table);
    const { rows } = await ends.destination.query<{ comment: string }>(
      `select obj_description(oid) as comment from pg_class
        where relname in ('_transfer_status', '_waybill_load') and relkind = 'r'`,
    );
    for (const { comment } of rows) expect(comment).toMatch(/Waybill/);
  });

  test('gives up on an ALTER that has to wait, so that readers do not queue behind it', async () => {
    await ends.land(table);
    const customer = await connectAs(ends.to);
    await customer.query(`begin; select count(*) from ${live()}`);
    await using destination = ends.openDestination();
    const column = { name: 'extra', type: 'string', description: undefined } as const;
    const wanted = {
      ...ends.plan(table).table,
      columns: [...ends.plan(table).table.columns, column],
    };
    const change = {
      modelId: table.modelName,
      table: wanted,
      steps: [{ kind: 'add_column', table: wanted.name, column } as const],
    };
    await expect(destination.apply(change)).rejects.toMatchObject({ kind: 'destination_busy' });
    await customer.query('commit');
    await customer.end();
    await destination.apply(change);
    expect((await destination.describe(wanted.name))?.columns.map(({ name }) => name)).toContain(
      'extra',
    );
  });

  test('a write that waits is gone from the server once it is aborted, and nothing of it stays', async () => {
    await ends.land(table);
    await ends.source.query(`update things set note = 'changed' where id = 1`);
    const customer = await connectAs(ends.to);
    await customer.query(`begin; update ${live()} set note = 'locked'`);
    const stop = new AbortController();
    const destination = ends.openDestination();
    const load = await destination.open(ends.plan(table, merge()), going);
    await using source = ends.openSource();
    const [batch] = await Array.fromAsync(source.read(ends.request(table), going));
    const writing = load
      .write(must(batch, 'a batch'), stop.signal)
      .catch((error: unknown) => error);
    await expect.poll(() => sessions('do %')).toBe(1);
    stop.abort();
    expect(await writing).toMatchObject({ kind: 'cancelled' });
    await expect.poll(() => sessions('%'), { timeout: 5000 }).toBe(0);
    await customer.query('rollback');
    await customer.end();
    const { rows } = await ends.destination.query(`select note from ${live()}`);
    expect(rows).toEqual([{ note: 'canary' }]);
    await destination[Symbol.asyncDispose]();
    await ends.source.query(`update things set note = 'canary' where id = 1`);
  });

  describe('what the customer put in the way is named, and no value with it', () => {
    test.each([
      ['a table that was dropped', 'drop table %', 'destination_missing'],
      ['a key that was dropped', 'alter table % drop constraint %key', 'schema_conflict'],
      ['a column that was renamed', 'alter table % rename note to remark', 'schema_conflict'],
      ['a check', `alter table % add check (note <> 'canary 2')`, 'schema_conflict'],
      [
        'a foreign key',
        `create table landed.other_% (v text primary key);
          alter table % add foreign key (note) references landed.other_% (v) not valid`,
        'schema_conflict',
      ],
      [
        'a trigger',
        `create function landed.refuse_%() returns trigger language plpgsql
            as $$ begin raise '%', new.note; end $$;
          create trigger refuse before insert or update on % for each row execute function landed.refuse_%()`,
        'schema_conflict',
      ],
    ])('%s', async (_, statement, kind) => {
      await ends.land(table);
      await ends.source.query(`update things set note = 'canary 2' where id = 1`);
      const name = `things_${model}`;
      const sql = statement
        .replaceAll('%key', `${name}_pkey`)
        .replaceAll(/(other|refuse)_%/g, `$1_${name}`)
        .replaceAll(/(table|on) %/g, `$1 ${live()}`);
      await ends.destination.query(sql);
      const landing = ends.land(table, merge());
      const error: unknown = await landing.catch((caught: unknown) => caught);
      expect(error).toMatchObject({ kind });
      expect(JSON.stringify([String(error), error, (error as Error).cause])).not.toContain(
        'canary',
      );
      await ends.source.query(`update things set note = 'canary' where id = 1`);
    });

    test('a row of ours that was written into', async () => {
      await ends.land(table);
      await ends.destination.query(
        `update landed._waybill_load set load_mode = 'sideways', load_state = 'running' where model_id = $1`,
        [table.modelName],
      );
      await using destination = ends.openDestination();
      await expect(destination.recall(table.modelName)).rejects.toMatchObject({
        kind: 'schema_conflict',
      });
    });
  });

  describe('a check of the login', () => {
    const role = `guest_${major}`;
    const findings = async (schema: string) => {
      const login = { password_auth: { username: role, password: `gu'e"s\\t %20@:/` } };
      await using destination = ends.openDestination({ ...login, schema });
      return await destination.check();
    };

    beforeAll(async () => {
      await ends.destination.query(`create role ${role} login password 'gu''e"s\\t %20@:/'`);
    });
    afterAll(async () => {
      await ends.destination.query(`drop owned by ${role}; drop role ${role}`);
    });

    test('names the grant that is missing, until none is, and leaves nothing behind', async () => {
      const schema = `for_guest_${major}`;
      const fixes: string[] = [];
      for (let tries = 0; tries < 5; tries += 1) {
        const error = (await findings(schema)).find(({ status }) => status === 'error');
        if (error === undefined) break;
        fixes.push(error.name);
        await ends.destination.query(must(error.fix, 'a fix'));
        if (error.name === 'create schema') await ends.destination.query(`create schema ${schema}`);
      }
      expect(fixes).toEqual(['create schema', 'create table']);
      await ends.destination.query(`revoke temporary on database ${ends.to.name} from public`);
      const [error] = (await findings(schema)).filter(({ status }) => status === 'error');
      expect(error).toMatchObject({
        name: 'stage',
        fix: expect.stringContaining('grant temporary on database'),
      });
      await ends.destination.query(must(error?.fix, 'a fix'));
      expect((await findings(schema)).map(({ status }) => status)).not.toContain('error');
      const { rows } = await ends.destination.query(
        `select from pg_class where relname like '\\_waybill\\_check%'`,
      );
      expect(rows).toEqual([]);
    });
  });
});

describe('TLS', () => {
  test('is asked for unless switched off, and a certificate is believed by its authority', async () => {
    await using server = await startPrivatePostgres();
    const place = { ...server, name: 'postgres' };
    const tryWith = async (settings: object) => {
      const { disable_ssl: _, ...rest } = settingsOf(place);
      await using destination = openDestination({ ...rest, ...settings }, directReach);
      return await destination.recall('none');
    };

    await expect(tryWith({})).rejects.toMatchObject({ kind: 'destination_denied', code: 'TLSX' });
    await expect(tryWith({ ssl_mode: 'require' })).rejects.toMatchObject({ code: 'TLSX' });
    expect(await tryWith({ disable_ssl: true })).toBeUndefined();
    expect(await tryWith({ ssl_mode: 'disable' })).toBeUndefined();

    const { certificate, key } = createCertificate();
    const owner = await stat(server.dataDir);
    const files = { ssl_cert_file: certificate, ssl_key_file: key };
    const paths: Record<string, string> = {};
    for (const [setting, text] of Object.entries(files)) {
      paths[setting] = path.join(server.dataDir, setting);
      await writeFile(paths[setting], text, { mode: 0o600 });
      await chown(paths[setting], owner.uid, owner.gid);
    }
    await server.stop();
    await server.start({ ssl: 'on', ...paths });
    await expect(tryWith({})).rejects.toMatchObject({
      code: 'TLSX',
      message: expect.stringContaining('ssl_ca'),
    });
    expect(await tryWith({ ssl_mode: 'require' })).toBeUndefined();
    expect(await tryWith({ ssl_ca: certificate })).toBeUndefined();
  });
});
