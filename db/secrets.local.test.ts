import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSealer } from '../lib/seal.ts';
import { createMetadata, tester, testSealer, type Metadata } from '../test/harness/metadata.ts';
import { createApiKey, findApiKey, listApiKeys, revokeApiKey } from './api-keys.ts';
import {
  insertConnection,
  openConnection,
  purgeLapsedConnections,
  reviseConnection,
} from './connections.ts';
import { rewrapSecrets } from './sealed-columns.ts';
import type { Database } from './database.ts';
import {
  discardProbe,
  finishProbe,
  getProbe,
  insertProbe,
  probeExpiry,
  purgeLapsedProbes,
} from './probes.ts';
import { apiKeys, probes } from './access-schema.ts';
import { connections } from './schema.ts';

let metadata: Metadata;
let db: Database;

beforeAll(async () => {
  metadata = await createMetadata();
  ({ db } = metadata);
});

afterAll(async () => {
  await metadata[Symbol.asyncDispose]();
});

const place = { environment: 'prod', role: 'destination' } as const;
const input = {
  ...place,
  vendor: 'postgres',
  settings: { host: 'h', auth_method: 'password_auth', password_auth: { username: 'u' } },
  secrets: { password_auth: { password: 'p%@:/ "' }, token: 't' },
  sealer: testSealer,
};

async function open(id: string) {
  return (await openConnection(db, testSealer, id)).settings;
}

describe('connections', () => {
  test('hold their secrets sealed, and give them back beside the settings', async () => {
    const id = await insertConnection(db, input);
    const [stored] = await db.select().from(connections).where(eq(connections.id, id));
    expect(JSON.stringify(stored)).not.toContain('p%@');
    expect(stored?.secretPaths).toEqual(['password_auth.password', 'token']);
    expect(await open(id)).toEqual({
      host: 'h',
      auth_method: 'password_auth',
      password_auth: { username: 'u', password: 'p%@:/ "' },
      token: 't',
    });
  });

  test('keep the secrets that a revision does not replace', async () => {
    const first = await insertConnection(db, input);
    const base = { ...place, basedOn: first, sealer: testSealer };
    const kept = await reviseConnection(db, { ...base, settings: input.settings, secrets: 'keep' });
    expect(await open(kept)).toEqual(await open(first));
    const secrets = { password_auth: { password: 'new' } };
    const changed = await reviseConnection(db, { ...base, settings: input.settings, secrets });
    expect(await open(changed)).toMatchObject({ token: 't', password_auth: { password: 'new' } });
  });

  test('drop the secrets of a way of logging in that was given up', async () => {
    const first = await insertConnection(db, input);
    const settings = { host: 'h', auth_method: 'public_key_auth', public_key_auth: {} };
    const base = { ...place, basedOn: first, sealer: testSealer, secrets: 'keep' } as const;
    const next = await reviseConnection(db, { ...base, settings });
    expect(await open(next)).toEqual({ ...settings, token: 't' });
  });

  test('are not found from another environment or role', async () => {
    const basedOn = await insertConnection(db, input);
    const change = { basedOn, settings: {}, secrets: 'keep', sealer: testSealer } as const;
    for (const wrong of [
      { ...place, environment: 'staging' as const },
      { ...place, role: 'source' as const },
    ]) {
      await expect(reviseConnection(db, { ...change, ...wrong })).rejects.toMatchObject({
        kind: 'not_found',
      });
    }
  });

  test('open nowhere but in their own row', async () => {
    const [a, b] = [await insertConnection(db, input), await insertConnection(db, input)];
    await db.execute(/*sql*/ sql`
      update connections set secrets = (select secrets from connections where id = ${a}) where id = ${b}
    `);
    await expect(open(b)).rejects.toMatchObject({ code: 'tampered' });
    await db.delete(connections).where(eq(connections.id, b));
  });

  test('that were never saved lapse, and are removed with their probe', async () => {
    const id = await insertConnection(db, { ...input, expiresAt: new Date(Date.now() - 1000) });
    await expect(open(id)).rejects.toMatchObject({ kind: 'not_found' });
    const probe = await insertProbe(db, {
      environment: 'prod',
      kind: 'destination',
      connectionId: id,
      input: {},
    });
    expect(await purgeLapsedConnections(db)).toBe(0);
    await db
      .update(probes)
      .set({ expiresAt: new Date(0) })
      .where(eq(probes.id, probe));
    expect(await purgeLapsedProbes(db)).toBe(1);
    expect(await purgeLapsedConnections(db)).toBe(1);
  });

  test('are wrapped anew by the first key, after which the old one can go', async () => {
    const id = await insertConnection(db, input);
    const fresh = { id: 'fresh', key: Buffer.alloc(32, 9) };
    const both = createSealer([fresh, { id: 'test', key: Buffer.alloc(32, 7) }]);
    expect(await rewrapSecrets(db, both)).toBeGreaterThan(0);
    expect(await rewrapSecrets(db, both)).toBe(0);
    const opened = await openConnection(db, createSealer([fresh]), id);
    expect(opened.settings).toMatchObject({ token: 't' });
  });
});

describe('API keys', () => {
  test('are found by the key alone, which is kept nowhere', async () => {
    const { id, key } = await createApiKey(db, { environment: 'staging', name: 'first' });
    expect(key).toMatch(/^sk_staging_[0-9a-f]{32}$/);
    expect(await findApiKey(db, key)).toMatchObject({ id, environment: 'staging', name: 'first' });
    const [stored] = await db.select().from(apiKeys).where(eq(apiKeys.id, id));
    expect(JSON.stringify(stored)).not.toContain(key);
    expect(stored?.lastUsedAt).toEqual(expect.any(Date));
    expect(key.startsWith(stored?.prefix ?? '?')).toBe(true);
  });

  test('that are unknown, expired or revoked find nothing', async () => {
    const environment = 'prod' as const;
    const late = { environment, name: 'late', expiresAt: new Date(Date.now() - 1000) };
    const expired = await createApiKey(db, late);
    const revoked = await createApiKey(db, { environment, name: 'gone' });
    const revoke = (of: 'staging' | 'prod') =>
      revokeApiKey(db, { environment: of, id: revoked.id, actor: tester });
    await expect(revoke('staging')).rejects.toMatchObject({ kind: 'not_found' });
    await revoke('prod');
    await expect(revoke('prod')).rejects.toMatchObject({ kind: 'not_found' });
    const unknown = `sk_prod_${'0'.repeat(32)}`;
    for (const key of [expired.key, revoked.key, unknown, '', "sk_prod_' or 1=1"]) {
      expect(await findApiKey(db, key)).toBeUndefined();
    }
    const listed = await listApiKeys(db, { environment });
    expect(listed.map(({ id }) => id)).toEqual([expired.id, revoked.id]);
  });
});

describe('probes', () => {
  const report = (message: string) => ({
    kind: 'model' as const,
    errors: [{ path: 'model', code: 'test', message }],
    warnings: [],
  });

  test('keep their first result, and are not found from another environment', async () => {
    const connectionId = await insertConnection(db, input);
    const environment = 'prod' as const;
    const id = await insertProbe(db, {
      environment,
      kind: 'source',
      connectionId,
      input: { a: 1 },
    });
    await finishProbe(db, { environment: 'staging', id, result: report('wrong') });
    expect(await getProbe(db, { environment, id })).toMatchObject({
      result: null,
      finishedAt: null,
    });
    await finishProbe(db, { environment, id, result: report('first') });
    await finishProbe(db, { environment, id, result: report('second') });
    expect(await getProbe(db, { environment, id })).toMatchObject({ result: report('first') });
    await expect(getProbe(db, { environment: 'staging', id })).rejects.toMatchObject({
      kind: 'not_found',
    });
  });
  test('that were answered go, with a connection that was never saved and no other', async () => {
    const environment = 'prod' as const;
    const saved = await insertConnection(db, input);
    const unsaved = await insertConnection(db, { ...input, expiresAt: probeExpiry() });
    for (const connectionId of [saved, unsaved]) {
      const probe = { environment, kind: 'destination', connectionId, input: {} } as const;
      const id = await insertProbe(db, probe);
      await discardProbe(db, { environment: 'staging', id });
      await getProbe(db, { environment, id });
      await discardProbe(db, { environment, id });
      await expect(getProbe(db, { environment, id })).rejects.toMatchObject({ kind: 'not_found' });
    }
    await open(saved);
    await expect(open(unsaved)).rejects.toMatchObject({ kind: 'not_found' });
  });
});
