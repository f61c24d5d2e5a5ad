import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelColumn, ModelDefinition } from '../domain/model.ts';
import type { Metadata } from '../test/harness/metadata.ts';
import {
  createMetadata,
  makeDestination,
  makeModel,
  makeRecipient,
  makeSource,
  makeVendor,
  modelDefinition,
  testAudit,
  tester,
  unique,
} from '../test/harness/metadata.ts';
import type { Database } from './database.ts';
import { getDestination } from './destinations.ts';
import type { ModelRecord } from './models.ts';
import {
  deleteModel,
  getModel,
  insertModel,
  listModels,
  reviewModel,
  updateModel,
} from './models.ts';
import { getProduct, insertProduct } from './products.ts';
import { modelRevisions } from './schema.ts';
import { submitTransfer } from './submit-transfer.ts';

let metadata: Metadata;
let db: Database;

beforeAll(async () => {
  metadata = await createMetadata();
  ({ db } = metadata);
});

afterAll(async () => {
  await metadata[Symbol.asyncDispose]();
});

const audit = testAudit;
const note: ModelColumn = {
  name_in_source: 'note',
  name_in_destination: 'Note',
  data_type: 'text',
  is_primary_key: false,
  is_last_modified: false,
};

function update(model: ModelRecord, changes: Partial<ModelDefinition>, basedOn?: string) {
  const definition = { ...model.definition, ...changes };
  const { environment, id: idOrName } = model;
  return updateModel(db, { environment, idOrName, definition, basedOn, audit });
}

function codes(violations: readonly { code: string }[]): string[] {
  return violations.map(({ code }) => code);
}

describe('revisions', () => {
  test('every change makes one, and the old ones stay as they were', async () => {
    const model = await makeModel(db, await makeSource(db));
    const { model: next } = await update(model, { description: 'new' });
    expect(next).toMatchObject({ id: model.id, number: 2, definition: { description: 'new' } });
    const [old] = await db
      .select()
      .from(modelRevisions)
      .where(eq(modelRevisions.id, model.revisionId));
    expect(old).toMatchObject({ number: 1, definition: model.definition, createdBy: 'tester' });
  });

  test('a write that changes nothing makes none', async () => {
    const model = await makeModel(db, await makeSource(db));
    const { model: same } = await update(model, { description: null });
    expect(same).toEqual(model);
  });

  test('two changes of one revision at once: the second is told', async () => {
    const model = await makeModel(db, await makeSource(db));
    const results = await Promise.allSettled(
      ['a', 'b'].map((description) => update(model, { description }, model.revisionId)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.map(({ reason }) => reason)).toMatchObject([{ kind: 'conflict' }]);
  });

  test('racing changes without a base come one after the other', async () => {
    const model = await makeModel(db, await makeSource(db));
    await Promise.all(['a', 'b', 'c', 'd'].map((description) => update(model, { description })));
    expect((await getModel(db, { environment: 'prod', idOrName: model.name })).number).toBe(5);
  });
});

describe('names', () => {
  test('a dropped column never comes back in prod, in whatever case', async () => {
    const model = await makeModel(db, await makeSource(db));
    const { columns } = model.definition;
    const { model: wide } = await update(model, { columns: [...columns, note] });
    await update(wide, { columns });
    const again = update(model, {
      columns: [...columns, { ...note, name_in_destination: 'note' }],
    });
    await expect(again).rejects.toMatchObject({
      kind: 'invalid',
      violations: [{ path: 'model.columns[3].name_in_destination', code: 'M24_dropped_column' }],
    });
  });

  test('in staging it comes back with a warning, and can be dropped and come back again', async () => {
    const model = await makeModel(db, await makeSource(db, { environment: 'staging' }));
    const { columns } = model.definition;
    const wide = { columns: [...columns, note] };
    expect((await update(model, wide)).warnings).toEqual([]);
    for (let round = 0; round < 2; round++) {
      expect((await update(model, { columns })).warnings).toEqual([]);
      expect(codes((await update(model, wide)).warnings)).toEqual(['M24_dropped_column']);
    }
  });

  test('a column keeps its type', async () => {
    const model = await makeModel(db, await makeSource(db));
    const columns = model.definition.columns.map((column) =>
      column.name_in_source === 'net' ? { ...column, data_type: 'float' } : column,
    );
    await expect(update(model, { columns })).rejects.toMatchObject({
      violations: [{ code: 'M23_type_changed' }],
    });
  });

  test('the table of a deleted or moved model is never used again, nor the name of a deleted one', async () => {
    const source = await makeSource(db);
    const [gone, moved] = [await makeModel(db, source), await makeModel(db, source)];
    await deleteModel(db, { environment: 'prod', idOrName: gone.name, audit });
    await update(moved, { destination_table_name: unique('elsewhere') });
    for (const table of [gone.name, moved.name.toUpperCase()]) {
      await expect(makeModel(db, source, { destination_table_name: table })).rejects.toMatchObject({
        kind: 'invalid',
        violations: [{ code: 'M24_dropped_table' }],
      });
    }
    const again = makeModel(db, source, {
      model_name: gone.name,
      destination_table_name: unique('t'),
    });
    await expect(again).rejects.toMatchObject({
      kind: 'conflict',
      violations: [{ path: 'model.model_name' }],
    });
  });

  test('a second model of a name is a conflict, as is a rename to it', async () => {
    const source = await makeSource(db);
    const [one, other] = [await makeModel(db, source), await makeModel(db, source)];
    const taken = { kind: 'conflict', violations: [{ path: 'model.model_name', code: 'taken' }] };
    await expect(makeModel(db, source, { model_name: one.name })).rejects.toMatchObject(taken);
    await expect(update(other, { model_name: one.name })).rejects.toMatchObject(taken);
    const definition = { ...one.definition, description: 'second' };
    await expect(reviewModel(db, { environment: 'prod', definition })).rejects.toMatchObject(taken);
  });

  test('of racing models for one table exactly one is made', async () => {
    const source = await makeSource(db);
    const destination_table_name = unique('table');
    const make = () => makeModel(db, source, { destination_table_name });
    const results = await Promise.allSettled([make(), make(), make()]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('identity', () => {
  test('the name, key and source are free until the first transfer, and fixed from then on', async () => {
    const { environment, source, model, product, recipient, destination } = await makeVendor(db);
    const narrow = await makeDestination(db, recipient, { enabledModels: [model.name] });
    const model_name = unique('renamed');
    const destination_table_name = model.name;
    const { model: renamed } = await update(model, { model_name, destination_table_name });
    expect((await getProduct(db, { environment, name: product.name })).models).toEqual([
      model_name,
    ]);
    const { enabledModels } = await getDestination(db, { environment, id: narrow.id });
    expect(enabledModels).toEqual([model_name]);
    await submitTransfer(db, {
      environment,
      destinationId: destination.id,
      trigger: 'manual',
      actor: tester,
    });
    const other = await makeSource(db);
    expect(other.id).not.toBe(source.id);
    const change = update(renamed, { model_name: model.name, source_id: other.id });
    await expect(change).rejects.toMatchObject({
      violations: [{ path: 'model.model_name', code: 'fixed' }, { code: 'M25_source_changed' }],
    });
  });
});

describe('a definition', () => {
  test('is refused with all that is wrong with it, and nothing is stored', async () => {
    const source = await makeSource(db);
    const definition = modelDefinition({
      source_id: source.id,
      source_table: 'a.b.c',
      organization_column: null,
      columns: [{ ...note, data_type: 'wrong' }],
    });
    const attempt = insertModel(db, { environment: 'prod', definition, audit });
    const error = await attempt.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'invalid' });
    const { violations } = error as { violations: { code: string }[] };
    expect(violations.length).toBeGreaterThan(3);
    const page = { pageSize: 10, order: 'asc' } as const;
    const names = [definition.model_name];
    expect((await listModels(db, { environment: 'prod', names, page })).items).toEqual([]);
  });

  test('is reviewed without being stored', async () => {
    const model = await makeModel(db, await makeSource(db));
    const columns = model.definition.columns.slice(0, 2);
    const definition = { ...model.definition, columns: [...columns, note, note] };
    const review = { environment: 'prod', definition, idOrName: model.id } as const;
    expect(codes((await reviewModel(db, review)).violations)).toEqual(['M11_repeated']);
    expect(await getModel(db, { environment: 'prod', idOrName: model.id })).toEqual(model);
  });

  test('cannot name a source of the other environment', async () => {
    const staging = await makeSource(db, { environment: 'staging' });
    const definition = modelDefinition({ source_id: staging.id });
    await expect(insertModel(db, { environment: 'prod', definition, audit })).rejects.toMatchObject(
      {
        violations: [{ code: 'M14_unknown_source' }],
      },
    );
  });
});

test('a recipient without a product gets the product default once there is one', async () => {
  const environment = 'staging' as const;
  const source = await makeSource(db, { environment });
  const [a, b] = [await makeModel(db, source), await makeModel(db, source)];
  const recipient = await makeRecipient(db, { environment });
  const page = { pageSize: 100, order: 'asc' } as const;
  const list = async () => {
    const own = { environment, recipientId: recipient.id, page };
    return (await listModels(db, own)).items.map(({ name }) => name);
  };
  expect(await list()).toEqual(expect.arrayContaining([a.name, b.name]));
  await insertProduct(db, { environment, name: 'default', models: [b.name], audit });
  expect(await list()).toEqual([b.name]);
});
