import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { purgeMagicLinks } from '../db/magic-links.ts';
import { magicLinks } from '../db/tokens-schema.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeRecipient, makeVendor } from '../test/harness/metadata.ts';

let api: TestApi;
let own: Awaited<ReturnType<typeof makeVendor>>;

beforeAll(async () => {
  api = await createTestApi();
  api.workflows.report = { kind: 'connection', findings: [], error: null };
  own = await makeVendor(api.metadata.db);
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function make(changes: object = {}): Promise<{ id: string; token: string; answer: Answer }> {
  const magic_link = { recipient_id: own.recipient.id, name: 'Customer warehouse', ...changes };
  const answer = await api.call('POST', '/magic-links', { body: { magic_link } });
  expect(answer.status, answer.text).toBe(200);
  const link = textAt(answer, 'data.magic_link.link');
  return { id: textAt(answer, 'data.magic_link.id'), token: link.split('/').at(-1) ?? '', answer };
}

/** As a browser without any account calls: no key, no Content-Type. */
async function follow(token: string, end = '', body?: unknown): Promise<Answer> {
  const path = `/public/magic-links/${token}${end}`;
  return await api.call(body === undefined ? 'GET' : 'POST', path, { key: null, body });
}

function wanted(changes: object = {}) {
  const postgres = {
    host: 'warehouse.example.com',
    database: `d${Math.random()}`,
    schema: 'shared',
    auth_method: 'password_auth',
    password_auth: { username: 'loader', password: 'canary-of-a-link' },
  };
  return { destination: { vendor: 'postgres', postgres, ...changes } };
}

async function logged(eventType: string): Promise<unknown> {
  const answer = await api.call('GET', `/logs?event_type=${eventType}`);
  const [newest] = at(answer, 'data.event_logs') as object[];
  return newest;
}

async function ageOf(id: string, ago: string): Promise<void> {
  const expiresAt = sql`now() - ${ago}::interval`;
  await api.metadata.db.update(magicLinks).set({ expiresAt }).where(eq(magicLinks.id, id));
}

describe('making a link', () => {
  test('shows the link once, and never its token again', async () => {
    const { id, token, answer } = await make({ vendor: 'postgres' });
    expect(textAt(answer, 'data.magic_link.link')).toBe(`https://waybill.test/connect/${token}`);
    expect(at(answer, 'data.magic_link')).toMatchObject({
      recipient_id: own.recipient.id,
      id_in_provider_system: own.recipient.idInProviderSystem,
      products: own.recipient.products,
      available_models: [own.model.name],
      host: 'waybill.test',
      vendor: 'postgres',
      has_been_used: false,
      set_destination_enabled: true,
      redirect_url: '',
      bucket_name: '',
    });
    for (const path of [`/magic-links/${id}`, '/magic-links', '/logs']) {
      const read = await api.call('GET', path);
      expect(read.text).toContain(id);
      expect(read.text).not.toContain(token);
    }
    expect(JSON.stringify(await api.metadata.db.select().from(magicLinks))).not.toContain(token);
    await follow(token);
    expect(api.logged.join()).not.toContain(token);
  });

  test('shows the key of its recipient, with which a destination behind a tunnel is then made', async () => {
    const { id, token, answer } = await make({ vendor: 'postgres' });
    const key = textAt(answer, 'data.magic_link.ssh_public_key');
    expect(key).toMatch(/^ssh-rsa AAAA/);
    expect(textAt((await make()).answer, 'data.magic_link.ssh_public_key')).toBe(key);
    const read = await api.call('GET', `/magic-links/${id}`);
    expect(textAt(read, 'data.magic_link.ssh_public_key')).toBe(key);
    const stranger = await makeRecipient(api.metadata.db);
    const other = await make({ recipient_id: stranger.id });
    expect(other.answer.text).not.toContain(key);
    const ssh_tunnel = { ssh_tunnel_host: 'bastion.example.com', ssh_tunnel_username: 'tunnel' };
    const { destination } = wanted();
    const postgres = { ...destination.postgres, use_ssh_tunnel: true, ssh_tunnel };
    const added = await follow(token, '/destination', {
      destination: { ...destination, postgres },
    });
    expect(added.status, added.text).toBe(200);
    const { rows } = await api.metadata.db.execute<{ key: string }>(
      sql`select settings #>> '{ssh_tunnel,ssh_public_key}' as key from connections
        where settings #>> '{ssh_tunnel,ssh_tunnel_host}' = 'bastion.example.com'`,
    );
    expect(rows.map((row) => row.key)).toEqual([key]);
  });

  test('for postgres takes no preset of a bucket, and locks the vendor', async () => {
    const { token } = await make({ vendor: 'postgres' });
    const form = await follow(token);
    expect(form.text).toContain('"key":"postgres"');
    expect(form.text).not.toContain('aurora_postgres');
    const other = await follow(token, '/destination', wanted({ vendor: 'aurora_postgres' }));
    expect(other.status).toBe(403);
    const answer = await api.call('POST', '/magic-links', {
      body: {
        magic_link: {
          ...{ recipient_id: own.recipient.id, name: 'x', vendor: 'postgres' },
          ...{ bucket_name: 'b', bucket_access_id: 'a', metastore: 'hive' },
        },
      },
    });
    const paths = (at(answer, 'errors') as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual([
      'magic_link.bucket_name',
      'magic_link.bucket_access_id',
      'magic_link.metastore',
    ]);
  });

  test('lasts a week unless told', async () => {
    const seconds = ({ answer }: Awaited<ReturnType<typeof make>>) => {
      const [end, begin] = ['expires_at', 'created_at'].map((field) =>
        Date.parse(textAt(answer, `data.magic_link.${field}`)),
      );
      return ((end ?? 0) - (begin ?? 0)) / 1000;
    };
    expect(seconds(await make())).toBe(604_800);
    expect(seconds(await make({ expires_in_seconds: '3600' }))).toBe(3600);
  });

  test.each([
    ['an unknown recipient', { recipient_id: '0199aa00-0000-7000-8000-000000000001' }, 'recipient'],
    ['no name', { name: '' }, 'name'],
    ['an unknown vendor', { vendor: 'abacus' }, 'vendor'],
    ['a vendor that cannot be connected yet', { vendor: 'snowflake' }, 'vendor'],
    ['a preset without a vendor', { bucket_name: 'b' }, 'vendor'],
    ['a preset that the vendor has no field for', { vendor: 'postgres', bucket_name: 'b' }, 'name'],
    ['a page to go to without TLS', { redirect_url: 'http://example.com' }, 'redirect_url'],
    ['a page to go to that is a script', { redirect_url: 'javascript:alert(1)' }, 'redirect_url'],
    ['a life of seconds', { expires_in_seconds: 1 }, 'expires_in_seconds'],
  ])('is refused with %s', async (_, changes, word) => {
    const magic_link = { recipient_id: own.recipient.id, name: 'x', ...changes };
    const answer = await api.call('POST', '/magic-links', { body: { magic_link } });
    expect(answer.status).toBe(400);
    expect(textAt(answer, 'message')).toContain(word);
  });

  test('and reading, listing and deleting stay in the environment of the key', async () => {
    const { id, token } = await make();
    const key = api.keys.staging;
    const magic_link = { recipient_id: own.recipient.id, name: 'x' };
    expect((await api.call('POST', '/magic-links', { key, body: { magic_link } })).status).toBe(
      400,
    );
    expect((await api.call('GET', `/magic-links/${id}`, { key })).status).toBe(404);
    expect((await api.call('DELETE', `/magic-links/${id}`, { key })).status).toBe(404);
    expect(at(await api.call('GET', '/magic-links', { key }), 'data.magic_links')).toEqual([]);
    expect((await follow(token)).status).toBe(200);
  });

  test('and deleting are in the audit log, with the key as actor', async () => {
    const { id } = await make();
    expect(await logged('MAGIC_LINK_CREATE')).toMatchObject({
      resource_id: id,
      actor: { type: 'api_key' },
      object: { id, link: '' },
    });
    expect((await api.call('DELETE', `/magic-links/${id}`)).body).toMatchObject({ data: {} });
    expect(await logged('MAGIC_LINK_DELETE')).toMatchObject({
      resource_id: id,
      previous_object: { id },
    });
  });

  test('lists the links of one recipient where asked', async () => {
    const other = await makeRecipient(api.metadata.db);
    const { id } = await make({ recipient_id: other.id });
    const answer = await api.call('GET', `/magic-links?recipient_id=${other.id}`);
    expect(at(answer, 'data.magic_links')).toMatchObject([{ id }]);
  });
});

describe('behind a link', () => {
  test('stands what is to be asked, without a credential', async () => {
    const { token } = await make({
      vendor: 'postgres',
      set_destination_enabled: false,
      redirect_url: 'https://app.example.com/done',
    });
    const answer = await follow(token);
    expect(at(answer, 'data.magic_link'), answer.text).toMatchObject({
      name: 'Customer warehouse',
      recipient_name: own.recipient.name,
      vendor: 'postgres',
      available_models: [own.model.name],
      frequencies: [0, 15, 60, 360, 720, 1440],
      redirect_url: 'https://app.example.com/done',
      form: { name: 'vendor', const: 'postgres', enum: [{ key: 'postgres' }] },
    });
    const children = at(answer, 'data.magic_link.form.children') as { name: string }[];
    const names = children.map(({ name }) => name);
    expect(names).toContain('host');
    for (const decided of ['name', 'recipient_id', 'is_enabled']) {
      expect(names).not.toContain(decided);
    }
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('only vendors that can be connected are offered', async () => {
    const answer = await follow((await make()).token);
    const offered = at(answer, 'data.magic_link.form.enum') as { disabled: boolean }[];
    expect(offered.length).toBeGreaterThan(0);
    expect(offered.filter(({ disabled }) => disabled)).toEqual([]);
  });

  test('a destination is tried, which leaves the link as it is', async () => {
    const { token } = await make();
    for (const _ of [1, 2]) {
      const answer = await follow(token, '/test', wanted());
      expect(at(answer, 'data.status'), answer.text).toBe('success');
      expect(answer.text).not.toContain('canary-of-a-link');
    }
    expect((await follow(token)).status).toBe(200);
  });

  test('a destination is added for the recipient, who stands in the audit log', async () => {
    const { id, token } = await make();
    const answer = await follow(token, '/destination', wanted({ frequency_minutes: '60' }));
    expect(at(answer, 'data.destination'), answer.text).toMatchObject({
      name: 'Customer warehouse',
      recipient_id: own.recipient.id,
      frequency_minutes: 60,
      is_enabled: true,
    });
    const actor = { type: 'recipient', actor_id: own.recipient.id };
    expect(await logged('DESTINATION_ADD')).toMatchObject({ actor });
    expect(await logged('MAGIC_LINK_USE')).toMatchObject({ actor, resource_id: id });
    const read = await api.call('GET', `/magic-links/${id}`);
    expect(at(read, 'data.magic_link.has_been_used')).toBe(true);
  });

  test('it starts disabled where the vendor wants to look first, whatever is asked', async () => {
    const { token } = await make({ set_destination_enabled: false });
    const answer = await follow(token, '/destination', wanted({ is_enabled: true }));
    expect(at(answer, 'data.destination.is_enabled'), answer.text).toBe(false);
  });

  test.each([
    ['vendor', { vendor: 'aurora_postgres' }],
    ['name', { name: 'Another' }],
    ['recipient_id', { recipient_id: '0199aa00-0000-7000-8000-000000000001' }],
    ['id_in_provider_system', { id_in_provider_system: 'somebody-else' }],
    ['max_concurrent_transfers', { max_concurrent_transfers: 50 }],
    ['frequency_minutes', { frequency_minutes: 1 }],
    ['schedule', { schedule: { cron: '0 6 * * *', time_zone: 'UTC' } }],
    ['machine_type_id', { machine_type_id: '0199aa00-0000-7000-8000-000000000001' }],
  ])('%s is not for its holder to say', async (field, changes) => {
    const { token } = await make({ vendor: 'postgres' });
    for (const end of ['/test', '/destination']) {
      const answer = await follow(token, end, wanted(changes));
      expect(answer.status).toBe(403);
      expect(textAt(answer, 'message')).toContain(`destination.${field}`);
    }
  });
});

describe('the end of a link', () => {
  test('comes with its first destination, also where two are asked for at once', async () => {
    const { token } = await make();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => follow(token, '/destination', wanted())),
    );
    const made = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 409);
    expect([made.length, refused.length]).toEqual([1, 7]);
    expect((await follow(token)).status).toBe(409);
    expect((await follow(token, '/test', wanted())).status).toBe(409);
  });

  test('does not come with a destination that is refused', async () => {
    const { token } = await make();
    const incomplete = { destination: { vendor: 'postgres', postgres: { host: 'db' } } };
    expect((await follow(token, '/destination', incomplete)).status).toBe(400);
    const place = wanted();
    const other = await makeRecipient(api.metadata.db);
    const taken = { ...place.destination, name: 'first', recipient_id: other.id };
    await api.call('POST', '/destinations', { body: { destination: taken } });
    expect((await follow(token, '/destination', place)).status).toBe(409);
    expect((await follow(token, '/destination', wanted())).status).toBe(200);
  });

  test('comes with its time, its deletion and that of its recipient', async () => {
    const recipient = await makeRecipient(api.metadata.db);
    const links = await Promise.all([make(), make(), make({ recipient_id: recipient.id })]);
    const [late, deleted] = links;
    await ageOf(late?.id ?? '', '0');
    await api.call('DELETE', `/magic-links/${deleted?.id}`);
    await api.call('DELETE', `/recipients/${recipient.id}`);
    for (const { token } of links) {
      expect((await follow(token)).status).toBe(404);
      expect((await follow(token, '/test', wanted())).status).toBe(404);
      expect((await follow(token, '/destination', wanted())).status).toBe(404);
    }
  });

  test('is forgotten after 30 days', async () => {
    const [young, old] = [await make(), await make()];
    await ageOf(young.id, '29 days');
    await ageOf(old.id, '31 days');
    await purgeMagicLinks(api.metadata.db);
    expect((await api.call('GET', `/magic-links/${young.id}`)).status).toBe(200);
    expect((await api.call('GET', `/magic-links/${old.id}`)).status).toBe(404);
  });
});

test('a page stands at the link, which looks nothing up and passes the address to nobody', async () => {
  for (const token of [(await make()).token, 'nonsense']) {
    const page = await api.call('GET', `/connect/${token}`, { key: null });
    expect(page.status).toBe(200);
    expect(page.text).toContain('later version');
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  }
});
