import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openConnection } from '../db/connections.ts';
import { getDestination } from '../db/destinations.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeRecipient, makeVendor, tester, testSealer, unique } from '../test/harness/metadata.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const canary = 'canary-Zx9!@[]/?#"\\+&: p';

/** In a schema of its own, since no two recipients may write to one place. */
function destinationBody(changes: object = {}, block: object = {}) {
  const postgres = {
    host: 'warehouse.example.com',
    database: 'analytics',
    schema: unique('schema'),
    password_auth: { username: 'loader', password: canary },
    ...block,
  };
  return { destination: { vendor: 'postgres', name: 'Warehouse', postgres, ...changes } };
}

async function create(changes: object = {}, block: object = {}): Promise<Answer> {
  const recipient_id = (await makeRecipient(api.metadata.db)).id;
  const answer = await api.call('POST', '/destinations', {
    body: destinationBody({ recipient_id, ...changes }, block),
  });
  expect(answer.status, answer.text).toBe(200);
  return answer;
}

async function createId(changes: object = {}, block: object = {}): Promise<string> {
  return textAt(await create(changes, block), 'data.destination.id');
}

function patch(id: string, destination: object): Promise<Answer> {
  return api.call('PATCH', `/export/destinations/${id}`, { body: { destination } });
}

describe('200', () => {
  test('a created destination comes back whole, typed, and without its secret', async () => {
    const answer = await create({ frequency_minutes: '60', id_in_provider_system: '', type: 'x' });
    expect(answer.body).toMatchObject({
      message: 'Destination created',
      data: {
        destination: {
          vendor: 'postgres',
          name: 'Warehouse',
          recipient_id: expect.any(String),
          products: [],
          enabled_models: ['*'],
          frequency_minutes: 60,
          max_concurrent_transfers: 1,
          max_concurrent_queries_per_transfer: 1,
          machine_type_id: null,
          is_enabled: true,
          last_successful_transfer_ended_at: null,
          postgres: {
            port: 5432,
            use_ssh_tunnel: false,
            disable_ssl: false,
            connection_timeout_in_seconds: 10,
            auth_method: 'password_auth',
            password_auth: { username: 'loader' },
          },
        },
      },
    });
    expect(answer.text).not.toContain('canary');
    expect(at(answer, 'data.destination.last_completed_transfer')).toBeUndefined();
  });

  test('a destination by tenant id makes the recipient where it is unknown', async () => {
    const id_in_provider_system = unique('tenant');
    const body = destinationBody({ recipient_id: '', id_in_provider_system });
    const answer = await api.call('POST', '/destinations', { body });
    expect(answer.body).toMatchObject({ data: { destination: { id_in_provider_system } } });
    const listed = await api.call(
      'GET',
      `/recipients?id_in_provider_system=${id_in_provider_system}`,
    );
    expect(at(listed, 'data.recipients.0.id')).toBe(at(answer, 'data.destination.recipient_id'));
  });

  test('a patch of one leaf leaves all others, the secret included', async () => {
    const id = await createId({}, { port: 6432 });
    const changed = await patch(id, { postgres: { schema: 'moved' } });
    expect(changed.body).toMatchObject({
      data: {
        destination: { postgres: { host: 'warehouse.example.com', port: 6432, schema: 'moved' } },
      },
    });
    const { db } = api.metadata;
    const { connectionId } = await getDestination(db, { environment: 'prod', id });
    const { settings } = await openConnection(db, testSealer, connectionId);
    expect(settings).toMatchObject({
      schema: 'moved',
      password_auth: { username: 'loader', password: canary },
    });
  });

  test('lists are replaced whole, and null asks for the default', async () => {
    const id = await createId({
      enabled_models: ['a', 'b'],
      frequency_minutes: 15,
      is_enabled: false,
    });
    const shorter = await patch(id, { enabled_models: ['b'], max_concurrent_transfers: 3 });
    expect(at(shorter, 'data.warnings')).toMatchObject([
      { path: 'destination.enabled_models[0]', code: 'inactive_model' },
    ]);
    expect(shorter.body).toMatchObject({
      data: {
        destination: {
          enabled_models: ['b'],
          frequency_minutes: 15,
          is_enabled: false,
          max_concurrent_transfers: 3,
        },
      },
    });
    const nulls = {
      enabled_models: null,
      frequency_minutes: null,
      is_enabled: null,
      max_concurrent_transfers: null,
    };
    const reset = await patch(id, { ...nulls, machine_type_id: null });
    expect(reset.body).toMatchObject({
      data: {
        destination: {
          enabled_models: ['*'],
          frequency_minutes: 0,
          is_enabled: true,
          max_concurrent_transfers: 1,
        },
      },
    });
  });

  test('what was read can be sent back whole', async () => {
    const id = await createId();
    const read = await api.call('GET', `/destinations/${id}`);
    const { destination } = (read.body as { data: { destination: object } }).data;
    const again = await patch(id, destination);
    expect(again.status, again.text).toBe(200);
    const fields = { ...(at(again, 'data.destination') as object), updated_at: '' };
    expect(fields).toEqual({ ...destination, updated_at: '' });
  });

  test('a tunnel that is not used is kept and given back, with its types', async () => {
    const sent = {
      ssh_tunnel_host: 'bastion.example.com',
      ssh_tunnel_port: null,
      ssh_tunnel_username: 'hop',
      ssh_public_key: '',
    };
    const id = await createId({}, { ssh_tunnel: sent, use_ssh_tunnel: false });
    const kept = { ...sent, ssh_public_key: null };
    const path = 'data.destination.postgres';
    const read = await api.call('GET', `/destinations/${id}`);
    expect(at(read, `${path}.ssh_tunnel`)).toEqual(kept);
    const changed = await patch(id, { postgres: { ssh_tunnel: { ssh_tunnel_port: '2222' } } });
    expect(at(changed, `${path}.ssh_tunnel`)).toEqual({ ...kept, ssh_tunnel_port: 2222 });
    const again = await patch(id, { postgres: at(changed, path) as object });
    expect(at(again, path)).toEqual(at(changed, path));
    const used = await patch(id, { postgres: { use_ssh_tunnel: true } });
    expect(textAt(used, `${path}.ssh_tunnel.ssh_public_key`)).toMatch(/^ssh-rsa AAAA/);
  });

  test('two recipients may each have a host of one name behind a tunnel of their own', async () => {
    const same = { host: '10.0.0.5', schema: unique('schema') };
    const tunnel = (host: string, isUsed = true) => ({
      use_ssh_tunnel: isUsed,
      ssh_tunnel: { ssh_tunnel_host: host, ssh_tunnel_username: 'hop' },
    });
    await create({}, { ...same, ...tunnel('bastion-1.example.com') });
    await create({}, { ...same, ...tunnel('bastion-2.example.com') });
    await create({}, { ...same, ...tunnel('bastion-1.example.com', false) });
    const recipient_id = (await makeRecipient(api.metadata.db)).id;
    for (const block of [tunnel('BASTION-1.example.com'), tunnel('bastion-2.example.com', false)]) {
      const body = destinationBody({ recipient_id }, { ...same, ...block });
      expect((await api.call('POST', '/destinations', { body })).status).toBe(409);
    }
  });

  test('the list is filtered by recipient, tenant, vendor and state', async () => {
    const answer = await create({ is_enabled: false });
    const id = textAt(answer, 'data.destination.id');
    const recipient = textAt(answer, 'data.destination.recipient_id');
    const tenant = textAt(answer, 'data.destination.id_in_provider_system');
    for (const query of [
      `recipient_id=${recipient}`,
      `id_in_provider_system=${tenant}&vendor=postgres&is_enabled=false`,
      `recipient_id=${recipient}&is_enabled=true,FALSE`,
    ]) {
      const listed = await api.call('GET', `/destinations?${query}`);
      expect(listed.body).toMatchObject({ data: { destinations: [{ id }] } });
    }
    for (const query of [
      `recipient_id=${recipient}&is_enabled=true`,
      `recipient_id=${recipient}&vendor=mysql`,
      'recipient_id=x',
    ]) {
      expect(at(await api.call('GET', `/destinations?${query}`), 'data.destinations')).toEqual([]);
    }
  });

  test('the transfer that ended last is shown', async () => {
    const { destination } = await makeVendor(api.metadata.db);
    const path = `/destinations/${destination.id}`;
    const started = await api.call('POST', `${path}/transfer`, { body: {} });
    await api.call('POST', `/transfers/${textAt(started, 'data.transfer_id')}/cancel`);
    const read = await api.call('GET', path);
    expect(read.body).toMatchObject({
      data: {
        destination: {
          last_completed_transfer: { id: at(started, 'data.transfer_id'), status: 'CANCELLED' },
        },
      },
    });
  });

  test('deleting one cancels what waits and stops what runs', async () => {
    const { db } = api.metadata;
    const { destination } = await makeVendor(db);
    const request = {
      environment: 'prod',
      destinationId: destination.id,
      trigger: 'manual',
      actor: tester,
    } as const;
    const { transferId } = await submitTransfer(db, request);
    await db.$client.query(/*sql*/ `update transfers set status = 'RUNNING' where id = $1`, [
      transferId,
    ]);
    const waiting = await submitTransfer(db, request);
    const answer = await api.call('DELETE', `/destinations/${destination.id}`);
    expect(answer.body).toEqual({ status: 'success', data: {}, message: 'Destination deleted' });
    expect(api.workflows.calls).toContainEqual({ verb: 'cancel', ids: [transferId] });
    const cancelled = await api.call('GET', `/transfers/${waiting.transferId}`);
    expect(cancelled.body).toMatchObject({ data: { transfer: { status: 'CANCELLED' } } });
  });
});

describe('400', () => {
  test.each<[string, object, string]>([
    ['no recipient', { recipient_id: '' }, 'destination.recipient_id'],
    ['a recipient that is no id', { recipient_id: 'x' }, 'destination.recipient_id'],
    [
      'an unknown recipient',
      { recipient_id: '0199aa00-0000-7000-8000-000000000001' },
      'destination.recipient_id',
    ],
    ['no vendor', { vendor: undefined }, 'destination.vendor'],
    ['a vendor that is not served', { vendor: 'bigquery' }, 'destination.vendor'],
    ['no name', { name: undefined }, 'destination.name'],
    [
      'a frequency that is no number',
      { frequency_minutes: 'abc' },
      'destination.frequency_minutes',
    ],
    ['a negative frequency', { frequency_minutes: -1 }, 'destination.frequency_minutes'],
    ['no concurrency', { max_concurrent_transfers: 0 }, 'destination.max_concurrent_transfers'],
    ['models that are no list', { enabled_models: '*' }, 'destination.enabled_models'],
    ['a state as text', { is_enabled: 'true' }, 'destination.is_enabled'],
    ['a machine that is no id', { machine_type_id: 'big' }, 'destination.machine_type_id'],
    ['no connection', { postgres: null }, 'destination.postgres'],
  ])('a destination with %s', async (_, changes, path) => {
    const { id } = await makeRecipient(api.metadata.db);
    const answer = await api.call('POST', '/destinations', {
      body: destinationBody({ recipient_id: id, ...changes }),
    });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path }] });
    expect(answer.text).not.toContain('canary');
  });

  test.each<[string, object, string]>([
    ['vendor', { vendor: 'aurora_postgres' }, 'destination.vendor'],
    [
      'recipient',
      { recipient_id: '0199aa00-0000-7000-8000-000000000001' },
      'destination.recipient_id',
    ],
    ['tenant', { id_in_provider_system: 'other' }, 'destination.id_in_provider_system'],
  ])('another %s in a patch', async (_, changes, path) => {
    const answer = await patch(await createId(), changes);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path, code: 'fixed' }] });
  });

  test('a state to filter by that is neither', async () => {
    expect((await api.call('GET', '/destinations?is_enabled=maybe')).status).toBe(400);
  });
});

describe('machine types', () => {
  test('are listed, and a destination can name one of them', async () => {
    const listed = await api.call('GET', '/export/machine-types');
    expect(listed.body).toMatchObject({
      data: { machine_types: [{ name: 'standard', is_default: true }] },
      has_next: false,
    });
    const machine_type_id = textAt(listed, 'data.machine_types.0.id');
    const id = await createId({ machine_type_id });
    expect(at(await patch(id, { machine_type_id }), 'data.destination.machine_type_id')).toBe(
      machine_type_id,
    );
    expect(at(await patch(id, { machine_type_id: null }), 'data.destination.machine_type_id')).toBe(
      null,
    );
  });

  test('that there are not are refused, and the sentence names those that there are', async () => {
    const machine_type_id = '0199aa00-0000-7000-8000-00000000000f';
    const id = await createId();
    const created = await api.call('POST', '/destinations', {
      body: destinationBody({ id_in_provider_system: unique('tenant'), machine_type_id }),
    });
    for (const answer of [created, await patch(id, { machine_type_id })]) {
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        message: expect.stringContaining('(standard)'),
        errors: [{ path: 'destination.machine_type_id', code: 'unknown_machine_type' }],
      });
    }
  });
});

describe('404', () => {
  test.each<[string, string, object?]>([
    ['GET', ''],
    ['PATCH', '', { destination: { name: 'x' } }],
    ['DELETE', ''],
    ['POST', '/test-connection', {}],
    ['POST', '/transfer', {}],
    ['GET', '/transfers'],
  ])('%s %s of a destination of the other environment', async (method, rest, body) => {
    const path = `/destinations/${await createId()}${rest}`;
    const answer = await api.call(method, path, { ...(body && { body }), key: api.keys.staging });
    expect(answer.status, answer.text).toBe(404);
  });
});

describe('409', () => {
  test('another recipient at the same place, however its host is spelled', async () => {
    const schema = unique('schema');
    await create({}, { schema });
    const { id } = await makeRecipient(api.metadata.db);
    const body = destinationBody({ recipient_id: id }, { schema, host: 'WAREHOUSE.example.com' });
    const answer = await api.call('POST', '/destinations', { body });
    expect(answer.status, answer.text).toBe(409);
    expect(answer.body).toMatchObject({ errors: [{ code: 'place_taken' }] });
  });

  test('a destination that is refused leaves no recipient behind', async () => {
    const schema = unique('schema');
    await create({}, { schema });
    const tenant = unique('tenant');
    const input = { recipient_id: '', id_in_provider_system: tenant };
    const body = destinationBody(input, { schema });
    expect((await api.call('POST', '/destinations', { body })).status).toBe(409);
    const listed = await api.call('GET', `/recipients?id_in_provider_system=${tenant}`);
    expect(at(listed, 'data.recipients')).toEqual([]);
  });
});
