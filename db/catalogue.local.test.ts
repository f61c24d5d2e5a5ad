import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Failure } from '../domain/failure.ts';
import type { Metadata } from '../test/harness/metadata.ts';
import {
  createMetadata,
  makeDestination,
  makeModel,
  makeRecipient,
  makeSource,
  makeVendor,
  testAudit,
  testSealer,
  unique,
} from '../test/harness/metadata.ts';
import type { Database } from './database.ts';
import {
  deleteDestination,
  getDestination,
  listDestinations,
  updateDestination,
} from './destinations.ts';
import { deleteModel, getModel, listModels } from './models.ts';
import {
  deleteProduct,
  getProduct,
  insertProduct,
  listProducts,
  updateProduct,
} from './products.ts';
import {
  deleteRecipient,
  ensureRecipient,
  findRecipientByProviderId,
  getRecipient,
  listRecipients,
  updateRecipient,
} from './recipients.ts';
import {
  deleteSource,
  getSource,
  listSources,
  recordSourceCheck,
  updateSource,
} from './sources.ts';

let metadata: Metadata;
let db: Database;

beforeAll(async () => {
  metadata = await createMetadata();
  ({ db } = metadata);
});

afterAll(async () => {
  await metadata[Symbol.asyncDispose]();
});

const notFound = { kind: 'not_found' };
const conflict = { kind: 'conflict' };
const page = { pageSize: 100, order: 'asc' } as const;
const audit = testAudit;

/** How many of the promises were refused with a conflict. */
async function countConflicts(work: Promise<unknown>[]): Promise<number> {
  const results = await Promise.allSettled(work);
  const refused = results.filter((result) => result.status === 'rejected');
  for (const { reason } of refused) expect(reason).toMatchObject(conflict);
  return refused.length;
}

describe('nothing of one environment is reached from the other', () => {
  test('no object of prod is read, changed, deleted or listed in staging', async () => {
    const { source, model, product, recipient, destination } = await makeVendor(db);
    const environment = 'staging' as const;
    const refused: (() => Promise<unknown>)[] = [
      () => getSource(db, { environment, id: source.id }),
      () => updateSource(db, { environment, id: source.id, name: 'x', audit }),
      () => deleteSource(db, { environment, id: source.id, audit }),
      () => getModel(db, { environment, idOrName: model.id }),
      () => getModel(db, { environment, idOrName: model.name }),
      () => deleteModel(db, { environment, idOrName: model.id, audit }),
      () => getProduct(db, { environment, name: product.name }),
      () => updateProduct(db, { environment, name: product.name, models: [], audit }),
      () => deleteProduct(db, { environment, name: product.name, audit }),
      () => getRecipient(db, { environment, id: recipient.id }),
      () => updateRecipient(db, { environment, id: recipient.id, name: 'x', audit }),
      () => deleteRecipient(db, { environment, id: recipient.id, audit }),
      () => getDestination(db, { environment, id: destination.id }),
      () => updateDestination(db, { environment, id: destination.id, name: 'x', audit }),
      () => deleteDestination(db, { environment, id: destination.id, audit }),
    ];
    for (const call of refused) await expect(call()).rejects.toMatchObject(notFound);
    const { idInProviderSystem } = recipient;
    expect(
      await findRecipientByProviderId(db, { environment, idInProviderSystem }),
    ).toBeUndefined();
    const lists = [
      await listSources(db, { environment, page }),
      await listModels(db, { environment, page }),
      await listProducts(db, { environment, page }),
      await listRecipients(db, { environment, page }),
      await listDestinations(db, { environment, page }),
    ];
    for (const { items } of lists) {
      expect(items.every((item) => item.environment === 'staging')).toBe(true);
    }
  });

  test('the names of one environment are free in the other', async () => {
    const { source, model, recipient } = await makeVendor(db);
    const twin = await makeSource(db, { environment: 'staging', name: source.name });
    expect(await makeModel(db, twin, { model_name: model.name })).toMatchObject({
      name: model.name,
    });
    const { idInProviderSystem } = recipient;
    const same = await makeRecipient(db, { environment: 'staging', idInProviderSystem });
    expect(same.id).not.toBe(recipient.id);
  });
});

describe('names', () => {
  test('of racing writers of one name exactly one wins', async () => {
    const name = unique('name');
    const twice = <T>(work: () => Promise<T>) => [work(), work(), work()];
    const product = () => insertProduct(db, { environment: 'prod', name, models: [], audit });
    expect(await countConflicts(twice(() => makeSource(db, { name })))).toBe(2);
    expect(await countConflicts(twice(product))).toBe(2);
    const recipient = () => makeRecipient(db, { idInProviderSystem: name });
    expect(await countConflicts(twice(recipient))).toBe(2);
  });

  test('of a deleted source is free again, a taken one refuses a rename', async () => {
    const [first, second] = [await makeSource(db), await makeSource(db)];
    const rename = () =>
      updateSource(db, { environment: 'prod', id: second.id, name: first.name, audit });
    await expect(rename()).rejects.toMatchObject({
      ...conflict,
      violations: [{ path: 'source.name' }],
    });
    await deleteSource(db, { environment: 'prod', id: first.id, audit });
    expect(await rename()).toMatchObject({ name: first.name });
  });

  test('racing requests for an unknown tenant make one recipient', async () => {
    const idInProviderSystem = unique('tenant');
    const ensure = () => ensureRecipient(db, { environment: 'prod', idInProviderSystem, audit });
    const made = await Promise.all([ensure(), ensure(), ensure()]);
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });
});

describe('what is in use stays', () => {
  test('a source with a model, a product with a recipient, a recipient with a destination', async () => {
    const { environment, source, model, product, recipient, destination } = await makeVendor(db);
    const all = {
      source: () => deleteSource(db, { environment, id: source.id, audit }),
      product: () => deleteProduct(db, { environment, name: product.name, audit }),
      recipient: () => deleteRecipient(db, { environment, id: recipient.id, audit }),
    };
    for (const remove of Object.values(all)) await expect(remove()).rejects.toMatchObject(conflict);
    await deleteDestination(db, { environment, id: destination.id, audit });
    await all.recipient();
    await all.product();
    await deleteModel(db, { environment, idOrName: model.id, audit });
    await all.source();
    await expect(getSource(db, { environment, id: source.id })).rejects.toMatchObject(notFound);
  });

  test('a recipient that is deleted while a destination is made for it: one of the two loses', async () => {
    for (let round = 0; round < 10; round++) {
      const recipient = await makeRecipient(db);
      const { environment, id } = recipient;
      const results = await Promise.allSettled([
        makeDestination(db, recipient),
        deleteRecipient(db, { environment, id, audit }),
      ]);
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused).toHaveLength(1);
      expect(refused[0]?.reason).toBeInstanceOf(Failure);
      expect(refused[0]?.reason).not.toMatchObject({ kind: 'bug' });
    }
  });

  test('a source that is deleted while a model is made on it: one of the two loses', async () => {
    for (let round = 0; round < 10; round++) {
      const source = await makeSource(db);
      const results = await Promise.allSettled([
        makeModel(db, source),
        deleteSource(db, { environment: 'prod', id: source.id, audit }),
      ]);
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused).toHaveLength(1);
      expect(refused[0]?.reason).toBeInstanceOf(Failure);
      expect(refused[0]?.reason).not.toMatchObject({ kind: 'bug' });
    }
  });

  test('the tenant id of a recipient, once it has a destination', async () => {
    const { environment, recipient } = await makeVendor(db);
    const change = { environment, id: recipient.id, idInProviderSystem: unique('tenant'), audit };
    await expect(updateRecipient(db, change)).rejects.toMatchObject(conflict);
    const other = await makeRecipient(db);
    expect(await updateRecipient(db, { ...change, id: other.id })).toMatchObject({
      idInProviderSystem: change.idInProviderSystem,
    });
  });
});

describe('references', () => {
  test('unknown products and models are named with their place', async () => {
    const known = (await makeVendor(db)).product.name;
    const missing = makeRecipient(db, { products: [known, 'nothing'] });
    await expect(missing).rejects.toMatchObject({
      kind: 'invalid',
      violations: [{ path: 'recipient.products[1]', code: 'unknown_product' }],
    });
    const empty = insertProduct(db, {
      environment: 'prod',
      name: unique('product'),
      models: ['nothing'],
      audit,
    });
    await expect(empty).rejects.toMatchObject({ violations: [{ path: 'product.models[0]' }] });
  });

  test('a destination needs a recipient of its environment', async () => {
    const recipient = await makeRecipient(db, { environment: 'staging' });
    const wrong = makeDestination(db, { ...recipient, environment: 'prod' });
    await expect(wrong).rejects.toMatchObject({
      kind: 'invalid',
      violations: [{ path: 'destination.recipient_id' }],
    });
  });
});

describe('two recipients never land in one place', () => {
  test('of racing destinations in one place only those of one recipient stay', async () => {
    const place = unique('place');
    const [a, b] = [await makeRecipient(db), await makeRecipient(db)];
    expect(
      await countConflicts([makeDestination(db, a, { place }), makeDestination(db, b, { place })]),
    ).toBe(1);
  });

  test('moving there is refused too, until the other one is deleted', async () => {
    const [a, b] = [await makeVendor(db), await makeVendor(db)];
    const move = () =>
      updateDestination(db, {
        environment: 'prod',
        id: b.destination.id,
        connection: {
          basedOn: b.destination.connectionId,
          settings: b.destination.settings,
          secrets: 'keep',
          place: a.destination.place,
          sealer: testSealer,
        },
        audit,
      });
    await expect(move()).rejects.toMatchObject(conflict);
    await deleteDestination(db, { environment: 'prod', id: a.destination.id, audit });
    expect(await move()).toMatchObject({ place: a.destination.place });
  });
});

describe('changes', () => {
  test('of one connection by two at once: the second is told', async () => {
    const source = await makeSource(db);
    const change = (host: string) =>
      updateSource(db, {
        environment: 'prod',
        id: source.id,
        connection: {
          basedOn: source.connectionId,
          settings: { ...source.settings, host },
          secrets: 'keep',
          sealer: testSealer,
        },
        audit,
      });
    expect(await countConflicts([change('a'), change('b')])).toBe(1);
  });

  test('of a destination touch only what is named', async () => {
    const { environment, destination } = await makeVendor(db);
    const { id } = destination;
    const changed = await updateDestination(db, { environment, id, frequencyMinutes: 60, audit });
    expect(changed).toEqual({
      ...destination,
      frequencyMinutes: 60,
      updatedAt: changed.updatedAt,
    });
    const reset = await updateDestination(db, { environment, id, machineTypeId: null, audit });
    expect(reset.machineTypeId).toBeNull();
  });

  test('of a recipient can take its start bound away', async () => {
    const { environment, id } = await makeRecipient(db);
    const set = (value: number | null) =>
      updateRecipient(db, { environment, id, defaultFullRefreshMinStartTimeEpoch: value, audit });
    expect(await set(86_400)).toMatchObject({ defaultFullRefreshMinStartTimeEpoch: 86_400 });
    expect(await updateRecipient(db, { environment, id, name: 'same', audit })).toMatchObject({
      defaultFullRefreshMinStartTimeEpoch: 86_400,
    });
    expect(await set(null)).toMatchObject({ defaultFullRefreshMinStartTimeEpoch: null });
  });

  test('a check of a source is kept with it', async () => {
    const { environment, id } = await makeSource(db);
    await recordSourceCheck(db, { environment, id, isReachable: true });
    expect(await getSource(db, { environment, id })).toMatchObject({
      isReachable: true,
      lastCheckedAt: expect.any(Date),
    });
  });

  test('every write is in the audit log, before and after, and never a secret', async () => {
    const { environment, id } = await makeSource(db);
    await updateSource(db, { environment, id, name: unique('other'), audit });
    await deleteSource(db, { environment, id, audit });
    const { rows } = await db.execute<Record<string, unknown>>(/*sql*/ sql`
      select event_type, actor_id, object is not null as after, previous_object is not null as before,
        concat(object, previous_object) as text
      from audit_log where resource_id = ${id} order by id
    `);
    expect(rows).toMatchObject([
      { event_type: 'SOURCE_ADD', actor_id: 'tester', before: false, after: true },
      { event_type: 'SOURCE_UPDATE', before: true, after: true },
      { event_type: 'SOURCE_DELETE', before: true, after: false },
    ]);
    expect(JSON.stringify(rows)).not.toContain('hush');
  });
});

describe('lists', () => {
  test('filter by what their verbs offer', async () => {
    const { environment, source, recipient, destination, model, product } = await makeVendor(db);
    const { id: recipientId, idInProviderSystem } = recipient;
    const ids = (found: { items: { id: string }[] }) => found.items.map(({ id }) => id);
    expect(ids(await listSources(db, { environment, page, names: [source.name] }))).toEqual([
      source.id,
    ]);
    const own = { environment, page, idsInProviderSystem: [idInProviderSystem, 'nobody'] };
    expect(ids(await listRecipients(db, own))).toEqual([recipientId]);
    expect(ids(await listDestinations(db, own))).toEqual([destination.id]);
    const recipientIds = [recipientId, 'no uuid'];
    expect(ids(await listDestinations(db, { environment, page, recipientIds }))).toEqual([
      destination.id,
    ]);
    const disabled = { environment, page, recipientIds, isEnabled: false };
    expect(ids(await listDestinations(db, disabled))).toEqual([]);
    const vendors = ['snowflake'];
    expect(ids(await listDestinations(db, { environment, page, vendors }))).toEqual([]);
    expect(ids(await listModels(db, { environment, page, recipientId }))).toEqual([model.id]);
    const productNames = [product.name];
    expect(ids(await listModels(db, { environment, page, productNames }))).toEqual([model.id]);
  });

  test('go on after the last item seen, whatever is added meanwhile', async () => {
    const names = [unique('a'), unique('b'), unique('c'), unique('d'), unique('e')];
    for (const name of names.slice(0, 4)) await makeSource(db, { name });
    const seen: string[] = [];
    let after: { id: string; value: string } | undefined;
    do {
      const request = { pageSize: 1, order: 'asc', after } as const;
      const found = await listSources(db, { environment: 'prod', names, page: request });
      seen.push(...found.items.map(({ name }) => name));
      after = found.next;
      if (seen.length === 1) await makeSource(db, { name: names[4] ?? '' });
    } while (after);
    expect(seen).toEqual(names);
  });

  test.each([
    ['no instant', 'yesterday'],
    ['a day that is not', '2026-02-30T00:00:00.000000Z'],
    ['the year 0', '0000-01-01T00:00:00.000000Z'],
  ])('refuse a cursor with %s', async (_, value) => {
    const after = { id: '01890000-0000-7000-8000-000000000000', value };
    const request = { pageSize: 1, order: 'asc', after } as const;
    await expect(listSources(db, { environment: 'prod', page: request })).rejects.toMatchObject({
      kind: 'invalid',
      violations: [{ path: 'cursor' }],
    });
  });
});
