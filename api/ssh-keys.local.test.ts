import { createPublicKey } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ConnectorDeclaration } from '../connectors/connector.ts';
import { publicKeyAuth, sshTunnel } from '../connectors/fields.ts';
import { connectors } from '../connectors/registry.ts';
import { openConnection } from '../db/connections.ts';
import { getDestination } from '../db/destinations.ts';
import { openPrivateKey, purgeKeyPairs } from '../db/key-pairs.ts';
import { rewrapSecrets } from '../db/sealed-columns.ts';
import { keyPairs } from '../db/keys-schema.ts';
import { fingerprintOf } from '../lib/key-pair.ts';
import { createSealer } from '../lib/seal.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeRecipient, testSealer, unique } from '../test/harness/metadata.ts';

/** A system that is reached through tunnels, and one that asks for a key in PEM. */
const settings = z.object({
  host: z.string().meta({ place: true }),
  ...sshTunnel,
  auth_method: z.enum(['none', 'public_key_auth']).default('none'),
  public_key_auth: publicKeyAuth('pkcs8').optional(),
});
const far: ConnectorDeclaration = {
  kind: 'far',
  title: 'Far',
  source: settings,
  destination: settings,
  load: async () => ({}),
};

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi({ registry: new Map([...connectors, [far.kind, far]]) });
  api.workflows.report = { kind: 'connection', findings: [], error: null };
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const generate = async () =>
  textAt(await api.call('POST', '/actions/generate-ssh-key', { key: null }), 'data.public_key');

const makeRecipientId = async () => (await makeRecipient(api.metadata.db)).id;

function withTunnel(publicKey?: string | null) {
  const tunnel = { ssh_tunnel_host: 'bastion.test', ssh_tunnel_username: 'hop' };
  const ssh_public_key = publicKey === undefined ? {} : { ssh_public_key: publicKey };
  return {
    host: unique('host'),
    use_ssh_tunnel: true,
    ssh_tunnel: { ...tunnel, ...ssh_public_key },
  };
}

function create(recipientId: string, block: object): Promise<Answer> {
  const destination = { vendor: 'far', name: 'far', recipient_id: recipientId, far: block };
  return api.call('POST', '/destinations', { body: { destination } });
}

function tryOut(recipientId: string | undefined, block: object): Promise<Answer> {
  const destination = { vendor: 'far', name: 'far', recipient_id: recipientId, far: block };
  return api.call('POST', '/test-destination', { body: { destination } });
}

const keyPath = 'data.destination.far.ssh_tunnel.ssh_public_key';

/** What a worker would connect with. */
async function opened(answer: Answer) {
  const { db } = api.metadata;
  const { connectionId } = await getDestination(db, {
    environment: 'prod',
    id: textAt(answer, 'data.destination.id'),
  });
  return (await openConnection(db, testSealer, connectionId)).settings;
}

async function age(publicKey: string, days: number): Promise<void> {
  await api.metadata.db
    .update(keyPairs)
    .set({ createdAt: sql`now() - make_interval(days => ${days})` })
    .where(sql`fingerprint = ${fingerprintOf(publicKey)}`);
}

const isThere = async (publicKey: string) =>
  (await openPrivateKey(api.metadata.db, testSealer, publicKey)) !== undefined;

describe('POST /actions/generate-ssh-key', () => {
  test('gives one key in two forms to anybody, and never the private half', async () => {
    const answer = await api.call('POST', '/actions/generate-ssh-key', { key: null, raw: '' });
    const line = textAt(answer, 'data.public_key');
    const pem = textAt(answer, 'data.public_key_pkcs8');
    expect(line).toMatch(/^ssh-rsa AAAA\S+$/);
    expect(fingerprintOf(line)).toBe(fingerprintOf(pem));
    expect(createPublicKey(pem).asymmetricKeyDetails?.modulusLength).toBe(3072);
    expect(answer.text).not.toContain('PRIVATE');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('keeps the private half sealed', async () => {
    const line = await generate();
    const rows = await api.metadata.db.select().from(keyPairs);
    expect(JSON.stringify(rows)).not.toContain('PRIVATE KEY');
    const pem = (await openPrivateKey(api.metadata.db, testSealer, line)) ?? '';
    const derived = createPublicKey(pem).export({ type: 'spki', format: 'pem' });
    expect(fingerprintOf(String(derived))).toBe(fingerprintOf(line));
  });
});

describe('a key that is named', () => {
  test.each(['create', 'test'])(
    'on %s is the recipient’s for good, and no one else’s',
    async (by) => {
      const [mine, theirs] = [await makeRecipientId(), await makeRecipientId()];
      const key = await generate();
      const first = await (by === 'create' ? create : tryOut)(mine, withTunnel(key));
      expect(first.status, first.text).toBe(200);
      expect(at(first, keyPath)).toBe(key);
      for (const attempt of [create, tryOut]) {
        const other = await attempt(theirs, withTunnel(key));
        expect(other.status).toBe(400);
        expect(other.body).toMatchObject({
          errors: [{ path: keyPath.replace('data.', ''), code: 'unknown_key' }],
        });
      }
      expect((await create(mine, withTunnel(key))).status).toBe(200);
      await age(key, 31);
      await purgeKeyPairs(api.metadata.db);
      expect(await isThere(key)).toBe(true);
    },
  );

  test('is known in either form, and the worker gets its private half beside it', async () => {
    const answer = await api.call('POST', '/actions/generate-ssh-key', { key: null });
    const pem = textAt(answer, 'data.public_key_pkcs8');
    const recipientId = await makeRecipientId();
    const made = await create(recipientId, {
      host: unique('host'),
      auth_method: 'public_key_auth',
      public_key_auth: { public_key: pem },
    });
    expect(at(made, 'data.destination.far.public_key_auth')).toEqual({ public_key: pem });
    expect(await opened(made)).toMatchObject({
      public_key_auth: { private_key: expect.stringMatching(/^-----BEGIN PRIVATE KEY-----/) },
    });
    const foreign = await create(
      await makeRecipientId(),
      withTunnel(textAt(answer, 'data.public_key')),
    );
    expect(foreign.status).toBe(400);
  });

  test('goes to one of two recipients who name it at the same moment', async () => {
    const key = await generate();
    const ids = await Promise.all([1, 2, 3, 4].map(makeRecipientId));
    const answers = await Promise.all(ids.map((id) => create(id, withTunnel(key))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test.each(['hello', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQA='])(
    'that we did not make (%s) is refused where it is used, and kept where it is not',
    async (key) => {
      const id = await makeRecipientId();
      const used = await create(id, withTunnel(key));
      expect(used.body).toMatchObject({ errors: [{ code: 'unknown_key' }] });
      const unused = await create(id, { ...withTunnel(key), use_ssh_tunnel: false });
      expect(at(unused, keyPath)).toBe(key);
      const destinationId = textAt(unused, 'data.destination.id');
      const patched = await api.call('PATCH', `/destinations/${destinationId}`, {
        body: { destination: { far: { use_ssh_tunnel: true } } },
      });
      expect(patched.status).toBe(400);
    },
  );

  test('can be tried before there is a recipient, as long as it is nobody’s', async () => {
    const key = await generate();
    expect((await tryOut(undefined, withTunnel(key))).status).toBe(200);
    const id = await makeRecipientId();
    expect((await create(id, withTunnel(key))).status).toBe(200);
    expect((await tryOut(undefined, withTunnel(key))).status).toBe(400);
  });
});

describe('an empty key', () => {
  test.each(['', null, undefined])(
    '(%j) is the recipient’s own, the same each time',
    async (key) => {
      const id = await makeRecipientId();
      const tried = await tryOut(id, withTunnel(key));
      const own = textAt(tried, keyPath);
      expect(own).toMatch(/^ssh-rsa AAAA/);
      expect(at(await create(id, withTunnel(key)), keyPath)).toBe(own);
      expect(at(await tryOut(id, withTunnel(key)), keyPath)).toBe(own);
      const other = await tryOut(await makeRecipientId(), withTunnel(key));
      expect(at(other, keyPath)).not.toBe(own);
    },
  );

  test('is one pair also for those who need it at the same moment', async () => {
    const id = await makeRecipientId();
    const answers = await Promise.all([1, 2, 3].map(() => tryOut(id, withTunnel(''))));
    expect(new Set(answers.map((answer) => at(answer, keyPath))).size).toBe(1);
  });

  test('that was only tried lapses after 30 days; with a destination it stays', async () => {
    const [tried, saved] = [await makeRecipientId(), await makeRecipientId()];
    const lapsing = textAt(await tryOut(tried, withTunnel('')), keyPath);
    const staying = textAt(await create(saved, withTunnel('')), keyPath);
    for (const key of [lapsing, staying]) await age(key, 31);
    await purgeKeyPairs(api.metadata.db);
    expect([await isThere(lapsing), await isThere(staying)]).toEqual([false, true]);
    expect(await purgeKeyPairs(api.metadata.db)).toBe(0);
  });

  test('in a change keeps the key that the destination has', async () => {
    const key = await generate();
    const made = await create(await makeRecipientId(), withTunnel(key));
    const id = textAt(made, 'data.destination.id');
    for (const path of ['', '/test-connection']) {
      const changed = await api.call(path === '' ? 'PATCH' : 'POST', `/destinations/${id}${path}`, {
        body: {
          destination: { far: { ssh_tunnel: { ssh_public_key: '', ssh_tunnel_port: 2222 } } },
        },
      });
      expect(at(changed, keyPath)).toBe(key);
    }
    expect(await opened(made)).toMatchObject({
      ssh_tunnel: { ssh_tunnel_port: 2222, ssh_private_key: expect.any(String) },
    });
  });

  test('needs to know whose: without a recipient it is refused', async () => {
    const answer = await tryOut(undefined, withTunnel(''));
    expect(answer.body).toMatchObject({
      errors: [{ path: 'destination.recipient_id', code: 'required' }],
    });
  });

  test('of a source is the vendor’s, apart in each environment and from all recipients', async () => {
    const keys = [];
    for (const environment of ['prod', 'prod', 'staging'] as const) {
      const source = { vendor: 'far', name: unique('far'), far: withTunnel('') };
      const answer = await api.call('POST', '/sources', {
        body: { source },
        key: api.keys[environment],
      });
      keys.push(textAt(answer, 'data.source.far.ssh_tunnel.ssh_public_key'));
    }
    expect(keys[0]).toBe(keys[1]);
    expect(keys[0]).not.toBe(keys[2]);
    expect((await create(await makeRecipientId(), withTunnel(keys[0]))).status).toBe(400);
  });
});

test('for a recipient that is not there, here or in this environment, no pair is made or claimed', async () => {
  const { id: elsewhere } = await makeRecipient(api.metadata.db, { environment: 'staging' });
  const key = await generate();
  const before = await api.metadata.db.$count(keyPairs);
  for (const id of ['0199aa00-0000-7000-8000-00000000dead', elsewhere]) {
    for (const attempt of [create, tryOut]) {
      for (const named of ['', key]) {
        const answer = await attempt(id, withTunnel(named));
        expect(answer.status).toBe(400);
        expect(answer.body).toMatchObject({
          errors: [{ path: 'destination.recipient_id', code: 'unknown_recipient' }],
        });
      }
    }
  }
  expect(await api.metadata.db.$count(keyPairs)).toBe(before);
  expect((await create(await makeRecipientId(), withTunnel(key))).status).toBe(200);
});

test('a pair that nobody named is removed after 30 days, not before', async () => {
  const [old, young] = [await generate(), await generate()];
  await age(old, 31);
  await age(young, 29);
  expect(await purgeKeyPairs(api.metadata.db)).toBeGreaterThan(0);
  expect([await isThere(old), await isThere(young)]).toEqual([false, true]);
});

test('a new sealing key wraps the pairs too', async () => {
  const line = await generate();
  const both = createSealer([
    { id: 'next', key: Buffer.alloc(32, 8) },
    { id: 'test', key: Buffer.alloc(32, 7) },
  ]);
  expect(await rewrapSecrets(api.metadata.db, both)).toBeGreaterThan(0);
  expect(await rewrapSecrets(api.metadata.db, both)).toBe(0);
  const next = createSealer([{ id: 'next', key: Buffer.alloc(32, 8) }]);
  expect(await openPrivateKey(api.metadata.db, next, line)).toContain('PRIVATE KEY');
});
