import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openConnection } from '../db/connections.ts';
import { getSource } from '../db/sources.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { createTestApi, textAt } from '../test/harness/api.ts';
import { makeModel, testSealer, unique } from '../test/harness/metadata.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const canary = 'canary-Zx9!@[]/?#"\\+&: p';

function sourceBody(changes: object = {}, block: object = {}) {
  const postgres = {
    host: 'db.example.com',
    database: 'app',
    password_auth: { username: 'waybill', password: canary },
    ...block,
  };
  return { source: { vendor: 'postgres', name: unique('source'), postgres, ...changes } };
}

async function createSource(changes: object = {}, block: object = {}): Promise<string> {
  const answer = await api.call('POST', '/sources', { body: sourceBody(changes, block) });
  return textAt(answer, 'data.source.id');
}

function patch(id: string, source: object): Promise<Answer> {
  return api.call('PATCH', `/sources/${id}`, { body: { source } });
}

/** What a worker would connect with. */
async function opened(id: string) {
  const { db } = api.metadata;
  const { connectionId } = await getSource(db, { environment: 'prod', id });
  return (await openConnection(db, testSealer, connectionId)).settings;
}

describe('200', () => {
  test('a created source is answered with its block, its defaults and no secret', async () => {
    const answer = await api.call('POST', '/sources', { body: sourceBody({ name: 'Main' }) });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({
      status: 'success',
      message: 'Source created',
      data: {
        source: {
          vendor: 'postgres',
          name: 'Main',
          is_reachable: null,
          postgres: {
            host: 'db.example.com',
            port: 5432,
            schema: null,
            use_ssh_tunnel: false,
            disable_ssl: false,
            auth_method: 'password_auth',
            password_auth: { username: 'waybill' },
          },
        },
      },
    });
    expect(answer.text).not.toContain('canary');
    expect(await opened(textAt(answer, 'data.source.id'))).toMatchObject({
      password_auth: { username: 'waybill', password: canary },
    });
  });

  test('a patch is laid on what is stored, and numbers may come as text', async () => {
    const id = await createSource({}, { schema: 'app' });
    const changed = await patch(id, {
      postgres: { port: '6432', password_auth: { username: 'other' } },
    });
    expect(changed.status, changed.text).toBe(200);
    const read = await api.call('GET', `/export/sources/"${id}"`);
    const postgres = {
      host: 'db.example.com',
      port: 6432,
      schema: 'app',
      password_auth: { username: 'other' },
    };
    expect(read.body).toMatchObject({ data: { source: { postgres } } });
    expect(await opened(id)).toMatchObject({
      ...postgres,
      password_auth: { username: 'other', password: canary },
    });
  });

  test.each([
    ['absent', {}],
    ['empty', { password: '' }],
    ['null', { password: null }],
  ])('a secret that is %s in a patch stays as it is stored', async (_, password_auth) => {
    const id = await createSource();
    const changed = await patch(id, { postgres: { host: 'other.example.com', password_auth } });
    expect(changed.status, changed.text).toBe(200);
    expect(await opened(id)).toMatchObject({
      host: 'other.example.com',
      password_auth: { password: canary },
    });
  });

  test('a new secret in a patch replaces the stored one', async () => {
    const id = await createSource();
    await patch(id, { postgres: { password_auth: { password: 'fresh' } } });
    expect(await opened(id)).toMatchObject({
      password_auth: { username: 'waybill', password: 'fresh' },
    });
  });

  test('null resets an optional field to its default', async () => {
    const id = await createSource({}, { port: 6432, schema: 'app' });
    const changed = await patch(id, { postgres: { port: null, schema: null } });
    expect(changed.body).toMatchObject({
      data: { source: { postgres: { port: 5432, schema: null } } },
    });
  });

  test('an object that was read can be sent back whole', async () => {
    const id = await createSource();
    const read = await api.call('GET', `/sources/${id}`);
    const { source } = (read.body as { data: { source: object } }).data;
    const changed = await patch(id, source);
    expect(changed.status, changed.text).toBe(200);
    expect(await opened(id)).toMatchObject({ password_auth: { password: canary } });
  });

  test('an empty patch changes nothing', async () => {
    const id = await createSource();
    const before = await api.call('GET', `/sources/${id}`);
    const after = await patch(id, {});
    expect(textAt(after, 'data.source.updated_at')).toBe(textAt(before, 'data.source.updated_at'));
  });

  test('lists are filtered by name and vendor', async () => {
    const name = unique('listed');
    await createSource({ name });
    const found = await api.call('GET', `/sources?name=x,${name}&vendor=postgres`);
    expect(found.body).toMatchObject({ data: { sources: [{ name }] }, has_next: false });
    const none = await api.call('GET', `/sources?name=${name}&vendor=mysql`);
    expect(none.body).toMatchObject({ data: { sources: [] } });
  });

  test('a deletion answers with JSON, and the source is gone', async () => {
    const id = await createSource();
    const answer = await api.call('DELETE', `/sources/${id}`);
    expect(answer.body).toEqual({ status: 'success', data: {}, message: 'Source deleted' });
    expect((await api.call('GET', `/sources/${id}`)).status).toBe(404);
  });

  test('every write is in the audit log, with who did it and without a secret', async () => {
    const id = await createSource();
    await patch(id, { postgres: { password_auth: { password: `${canary} again` } } });
    await api.call('DELETE', `/sources/${id}`);
    const { rows } = await api.metadata.db.$client.query<{
      event_type: string;
      actor_type: string;
    }>(/*sql*/ `select * from audit_log where resource_id = $1 order by at, id`, [id]);
    expect(rows.map((row) => row.event_type)).toEqual([
      'SOURCE_ADD',
      'SOURCE_UPDATE',
      'SOURCE_DELETE',
    ]);
    expect(new Set(rows.map((row) => row.actor_type))).toEqual(new Set(['api_key']));
    expect(JSON.stringify(rows)).not.toContain('canary');
  });
});

describe('400', () => {
  const required = (path: string) => ({ path, code: 'required' });
  test.each<[string, unknown, object]>([
    ['no wrapper', { vendor: 'postgres', name: 'x' }, required('source')],
    ['no vendor', { source: { name: 'x' } }, required('source.vendor')],
    [
      'another vendor',
      sourceBody({ vendor: 'snowflake' }),
      { path: 'source.vendor', code: 'unknown_vendor' },
    ],
    ['a vendor of the language', sourceBody({ vendor: 'constructor' }), { code: 'unknown_vendor' }],
    ['no name', sourceBody({ name: undefined }), required('source.name')],
    ['an empty name', sourceBody({ name: ' ' }), { path: 'source.name' }],
    [
      'a name of another type',
      sourceBody({ name: 7 }),
      { path: 'source.name', message: 'source.name must be text.' },
    ],
    ['no block', sourceBody({ postgres: undefined }), { path: 'source.postgres' }],
    ['a block that is no object', sourceBody({ postgres: [] }), { path: 'source.postgres' }],
    ['no host', sourceBody({}, { host: undefined }), required('source.postgres.host')],
    ['a null host', sourceBody({}, { host: null }), { path: 'source.postgres.host' }],
    [
      'no password',
      sourceBody({}, { password_auth: { username: 'x' } }),
      required('source.postgres.password_auth.password'),
    ],
    [
      'an empty password',
      sourceBody({}, { password_auth: { username: 'x', password: '' } }),
      { path: 'source.postgres.password_auth.password' },
    ],
    ['a port that is no number', sourceBody({}, { port: 'abc' }), { path: 'source.postgres.port' }],
    [
      'a port beyond all ports',
      sourceBody({}, { port: 70_000 }),
      { path: 'source.postgres.port', message: expect.stringContaining('at most 65535') },
    ],
    [
      'a flag as text',
      sourceBody({}, { disable_ssl: 'yes' }),
      { message: 'source.postgres.disable_ssl must be true or false.' },
    ],
    [
      'another way to log in',
      sourceBody({}, { auth_method: 'aws_iam_role' }),
      { path: 'source.postgres.auth_method' },
    ],
    [
      'a tunnel',
      sourceBody({}, { use_ssh_tunnel: true, ssh_tunnel: { ssh_tunnel_username: 'hop' } }),
      { path: 'source.postgres.ssh_tunnel.ssh_tunnel_host' },
    ],
  ])('%s', async (_, body, error) => {
    const answer = await api.call('POST', '/sources', { body });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ status: 'error', data: null, errors: [error] });
    expect(answer.text).not.toContain('canary');
  });

  test('all faults are named at once', async () => {
    const body = sourceBody({}, { host: 1, port: 'x', database: null });
    const answer = await api.call('POST', '/sources', { body });
    expect(answer.body).toMatchObject({
      message: expect.stringContaining('2 more in errors'),
      errors: [
        { path: 'source.postgres.host' },
        { path: 'source.postgres.port' },
        { path: 'source.postgres.database' },
      ],
    });
  });

  test.each([
    ['another vendor', { vendor: 'aurora_postgres' }, 'source.vendor'],
    ['a required field as null', { postgres: { host: null } }, 'source.postgres.host'],
    ['an object as null', { postgres: { password_auth: null } }, 'source.postgres.password_auth'],
    ['a block that is no object', { postgres: 'x' }, 'source.postgres'],
    ['a name as null', { name: null }, 'source.name'],
  ])('a patch with %s', async (_, source, path) => {
    const answer = await patch(await createSource(), source);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path }] });
  });
});

describe('404', () => {
  test.each(['GET', 'PATCH', 'DELETE'])(
    '%s of an object of the other environment',
    async (method) => {
      const id = await createSource();
      const body = method === 'PATCH' ? { body: { source: { name: 'x' } } } : {};
      const answer = await api.call(method, `/sources/${id}`, { ...body, key: api.keys.staging });
      expect(answer.status).toBe(404);
    },
  );
});

describe('409', () => {
  test('a name that is taken', async () => {
    const name = unique('taken');
    await createSource({ name });
    const answer = await api.call('POST', '/sources', { body: sourceBody({ name }) });
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ errors: [{ path: 'source.name', code: 'taken' }] });
    const elsewhere = await api.call('POST', '/sources', {
      body: sourceBody({ name }),
      key: api.keys.staging,
    });
    expect(elsewhere.status).toBe(200);
  });

  test('a source that a model reads cannot be deleted', async () => {
    const id = await createSource();
    const { db } = api.metadata;
    await makeModel(db, await getSource(db, { environment: 'prod', id }));
    expect((await api.call('DELETE', `/sources/${id}`)).status).toBe(409);
  });
});
