import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ModelReport } from '../domain/probe.ts';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeSource, makeVendor, unique } from '../test/harness/metadata.ts';

let api: TestApi;
let sourceName: string;

beforeAll(async () => {
  api = await createTestApi();
  sourceName = (await makeSource(api.metadata.db)).name;
  await makeSource(api.metadata.db);
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const fits: ModelReport = { kind: 'model', errors: [], warnings: [] };
const missing = {
  path: 'model.columns[1].name_in_source',
  code: 'column_missing',
  message: 'No column net.',
};
const index = { path: 'model.source_table', code: 'index_missing', message: 'Run: create index …' };

beforeEach(() => {
  api.workflows.report = fits;
  api.workflows.probes.length = 0;
});

const columns = [
  { name_in_source: 'nr', name_in_destination: 'nr', data_type: 'bigint', is_primary_key: true },
  {
    name_in_source: 'net',
    name_in_destination: 'net',
    data_type: 'Decimal(10, 2)',
    description: 'Before tax',
  },
  {
    name_in_source: 'changed_at',
    name_in_destination: 'changed_at',
    data_type: 'timestamptz',
    is_last_modified: true,
  },
];

function modelOf(changes: object = {}) {
  const model_name = unique('invoices');
  return {
    model_name,
    columns,
    source_table: 'billing.invoice_rows',
    source_name: sourceName,
    organization_column: 'account_id',
    ...changes,
  };
}

function post(model: object, query = ''): Promise<Answer> {
  return api.call('POST', `/models${query}`, { body: { model } });
}

async function create(changes: object = {}): Promise<{ id: string; name: string }> {
  const answer = await post(modelOf(changes));
  expect(answer.status, answer.text).toBe(200);
  return { id: textAt(answer, 'data.model.id'), name: textAt(answer, 'data.model.model_name') };
}

function patch(id: string, model: object): Promise<Answer> {
  return api.call('PATCH', `/models/${id}`, { body: { model } });
}

describe('200', () => {
  test('a model comes back as it was written, with its defaults and its revision', async () => {
    const model = modelOf();
    const answer = await post(model);
    expect(answer.body).toMatchObject({
      message: 'Model created',
      data: {
        model: {
          ...model,
          columns: columns.map((column) => ({
            is_primary_key: false,
            is_last_modified: false,
            ...column,
          })),
          source_schema: 'billing',
          is_append_only: false,
          destination_table_name: null,
          source_query: null,
          revision_id: expect.any(String),
        },
        warnings: [],
      },
    });
    expect(api.workflows.probes).toMatchObject([{ kind: 'model', environment: 'prod' }]);
  });

  test('a bare model is a model, and nulls are what was not given', async () => {
    const body = {
      ...modelOf(),
      is_append_only: null,
      description: null,
      min_start_time_epoch: '0',
      source_query: null,
    };
    const answer = await api.call('POST', '/export/models', { body });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({
      data: { model: { is_append_only: false, min_start_time_epoch: 0 } },
    });
  });

  test('unknown fields are ignored and named, doubts of the source are passed on', async () => {
    api.workflows.report = { ...fits, warnings: [index] };
    const answer = await post(
      modelOf({
        primary_key: 'nr',
        columns: [{ ...columns[0], nullable: true }, ...columns.slice(1)],
      }),
    );
    expect(answer.body).toMatchObject({
      data: {
        warnings: [{ path: 'model.primary_key' }, { path: 'model.columns[0].nullable' }, index],
      },
    });
  });

  test.each<[string, (model: object) => Promise<Answer>]>([
    ['in the query', (model) => post(model, '?skip_model_validation=true')],
    ['inside the model', (model) => post({ ...model, skip_model_validation: true })],
    [
      'beside the model',
      (model) => api.call('POST', '/models', { body: { model, skip_model_validation: true } }),
    ],
    [
      'in a bare model',
      (model) => api.call('POST', '/models', { body: { ...model, skip_model_validation: true } }),
    ],
  ])('the source is not asked where the flag stands %s', async (_, send) => {
    api.workflows.report = undefined;
    const answer = await send(modelOf());
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).not.toContain('skip_model_validation');
    expect(api.workflows.probes).toEqual([]);
  });

  test('a change makes a new revision of the whole, by id or by name', async () => {
    const { id, name } = await create();
    const added = [
      ...columns,
      { name_in_source: 'vat', name_in_destination: 'vat', data_type: 'decimal' },
    ];
    const before = textAt(await api.call('GET', `/models/${name}`), 'data.model.revision_id');
    const answer = await patch(name, { columns: added, description: 'Sent ones' });
    expect(answer.body).toMatchObject({
      data: { model: { id, description: 'Sent ones', source_name: sourceName } },
    });
    expect(at(answer, 'data.model.columns')).toHaveLength(4);
    expect(textAt(answer, 'data.model.revision_id')).not.toBe(before);
    const reset = await patch(id, { description: null });
    expect(at(reset, 'data.model.description')).toBeNull();
  });

  test('what was read can be sent back whole, and an empty patch asks nobody', async () => {
    const { id } = await create();
    const read = await api.call('GET', `/models/"${id}"`);
    const again = await patch(id, at(read, 'data.model') as object);
    expect(again.status, again.text).toBe(200);
    expect(at(again, 'data.warnings')).toEqual([]);
    expect(at(again, 'data.model.revision_id')).toBe(at(read, 'data.model.revision_id'));
    api.workflows.report = undefined;
    expect((await patch(id, {})).status).toBe(200);
  });

  test('a source given one way replaces one given the other', async () => {
    const other = await makeSource(api.metadata.db);
    const { id } = await create();
    const answer = await patch(id, { source_id: other.id });
    expect(answer.body).toMatchObject({
      data: { model: { source_id: other.id, source_name: null } },
    });
  });

  test('the list is filtered by name and product', async () => {
    const { model, product } = await makeVendor(api.metadata.db);
    for (const query of [`model_name=x,${model.name}`, `product_name=${product.name}`]) {
      const listed = await api.call('GET', `/models?${query}`);
      expect(listed.body).toMatchObject({ data: { models: [{ model_name: model.name }] } });
    }
  });

  test('a deleted model is gone', async () => {
    const { id } = await create();
    expect((await api.call('DELETE', `/models/${id}`)).body).toMatchObject({
      status: 'success',
      data: {},
    });
    expect((await api.call('GET', `/models/${id}`)).status).toBe(404);
  });

  test('a stored model is checked again, with overrides for this once', async () => {
    const { id, name } = await create();
    const good = await api.call('POST', `/models/${id}/validate`);
    expect(good.body).toMatchObject({
      data: { status: 'success', model_name: name, errors: [], warnings: [] },
    });
    const bad = await api.call('POST', `/models/${id}/validate`, {
      body: { model: { columns: [] } },
    });
    expect(bad.body).toMatchObject({
      status: 'success',
      data: {
        status: 'error',
        errors: expect.arrayContaining([expect.objectContaining({ path: 'model.columns' })]),
      },
    });
    api.workflows.report = { ...fits, errors: [missing], warnings: [index] };
    const unfit = await api.call('POST', `/models/${name}/validate`, { body: {} });
    expect(unfit.body).toMatchObject({
      message: 'No column net.',
      data: { status: 'error', errors: [missing], warnings: [index] },
    });
  });

  test('a file is checked without being stored, as a new model or as the next revision', async () => {
    const model = modelOf();
    const fresh = await api.call('POST', '/actions/validate-config', { body: model });
    expect(fresh.body).toMatchObject({ data: { status: 'success', model_name: model.model_name } });
    expect((await api.call('GET', `/models/${model.model_name}`)).status).toBe(404);
    const shapeless = await api.call('POST', '/export/actions/validate-config', {
      body: { model: { model_name: 'x', columns: 'all' } },
    });
    expect(shapeless.body).toMatchObject({
      status: 'success',
      data: { status: 'error', model_name: 'x' },
    });
    await post(model);
    const retyped = [columns[0], { ...columns[1], data_type: 'string' }, columns[2]];
    const changed = await api.call('POST', '/actions/validate-config', {
      body: { model: { ...model, columns: retyped } },
    });
    expect(changed.body).toMatchObject({
      data: { status: 'error', errors: [{ code: 'M23_type_changed' }] },
    });
  });

  test('rows that were sampled are counted', async () => {
    const { id } = await create();
    api.workflows.report = { ...fits, sampledRows: 42 };
    const answer = await api.call('POST', `/models/${id}/validate`);
    expect(answer.body).toMatchObject({ data: { sampled_rows: 42 } });
  });

  test('a put creates a model by its name, then replaces it whole', async () => {
    const { model_name, ...rest } = modelOf({ description: 'first' });
    const created = await api.call('PUT', `/models/${model_name}`, { body: rest });
    expect(created.body).toMatchObject({
      message: 'Model created',
      data: { model: { model_name } },
    });
    const whole = { model: { ...rest, model_name, description: undefined } };
    const replaced = await api.call('PUT', `/export/models/${model_name}`, { body: whole });
    expect(replaced.body).toMatchObject({
      message: 'Model replaced',
      data: { model: { description: null } },
    });
    const renamed = await api.call('PUT', `/models/${model_name}`, {
      body: { ...rest, model_name: 'other' },
    });
    expect(renamed.status).toBe(400);
  });

  test('a put creates a product by its name, then replaces its models', async () => {
    const { name } = await create();
    const path = `/products/${unique('put')}`;
    const created = await api.call('PUT', path, { body: { models: [name] } });
    expect(created.body).toMatchObject({
      message: 'Product created',
      data: { product: { models: [name] } },
    });
    const replaced = await api.call('PUT', path, { body: { product: { models: [] } } });
    expect(replaced.body).toMatchObject({
      message: 'Product replaced',
      data: { product: { models: [] } },
    });
    expect((await api.call('PUT', path, { body: {} })).status).toBe(400);
  });

  test('a product is checked model by model', async () => {
    const { product, model } = await makeVendor(api.metadata.db);
    api.workflows.report = { ...fits, errors: [missing] };
    const answer = await api.call('POST', `/products/${product.name}/validate`);
    expect(answer.body).toMatchObject({
      data: {
        status: 'error',
        product_name: product.name,
        models: [{ model_name: model.name, status: 'error', errors: [missing] }],
      },
    });
  });
});

describe('400', () => {
  test.each<[string, object, string]>([
    ['no name', { model_name: undefined }, 'model.model_name'],
    ['no columns', { columns: undefined }, 'model.columns'],
    ['an empty list of columns', { columns: [] }, 'model.columns'],
    ['columns that are no list', { columns: {} }, 'model.columns'],
    ['a column that is no object', { columns: ['nr'] }, 'model.columns[0]'],
    [
      'a column without its name',
      { columns: [{ name_in_source: 'a', data_type: 'text' }] },
      'model.columns[0].name_in_destination',
    ],
    [
      'an unknown type',
      {
        columns: [
          ...columns,
          { name_in_source: 'x', name_in_destination: 'x', data_type: 'uint8' },
        ],
      },
      'model.columns[3].data_type',
    ],
    ['no tenant column', { organization_column: '' }, 'model.organization_column'],
    ['a source that is not there', { source_name: 'nowhere' }, 'model.source_name'],
    ['a flag as text', { is_append_only: 'no' }, 'model.is_append_only'],
    ['a start before all', { min_start_time_epoch: -1 }, 'model.min_start_time_epoch'],
    ['a flag to skip that is no flag', { skip_model_validation: 'yes' }, 'skip_model_validation'],
  ])('a model with %s', async (_, changes, path) => {
    const answer = await post(modelOf(changes));
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ path })]),
    });
    expect(api.workflows.probes).toEqual([]);
  });

  test('what the source says against it, and nothing is stored', async () => {
    api.workflows.report = { ...fits, errors: [missing] };
    const model = modelOf();
    const answer = await post(model);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ message: 'No column net.', errors: [missing] });
    expect((await api.call('GET', `/models/${model.model_name}`)).status).toBe(404);
  });

  test('a change of type is refused when it is submitted', async () => {
    const { id } = await create();
    const answer = await patch(id, {
      columns: [columns[0], { ...columns[1], data_type: 'string' }, columns[2]],
    });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      errors: [{ path: 'model.columns[1].data_type', code: 'M23_type_changed' }],
    });
  });
});

describe('404', () => {
  test.each<[string, string, object?]>([
    ['GET', ''],
    ['PATCH', '', { model: { description: 'x' } }],
    ['DELETE', ''],
    ['POST', '/validate', {}],
  ])('%s %s of a model of the other environment', async (method, rest, body) => {
    const { id } = await create();
    const answer = await api.call(method, `/models/${id}${rest}`, {
      ...(body && { body }),
      key: api.keys.staging,
    });
    expect(answer.status, answer.text).toBe(404);
  });
});

describe('409', () => {
  test('a name that a deleted model had', async () => {
    const model = modelOf();
    const created = await post(model);
    await api.call('DELETE', `/models/${textAt(created, 'data.model.id')}`);
    const answer = await post({ ...model, destination_table_name: unique('other') });
    expect([400, 409]).toContain(answer.status);
    expect(answer.text).toContain(model.model_name);
  });
});

describe('503', () => {
  test('without a worker the model is not stored', async () => {
    api.workflows.report = undefined;
    const model = modelOf();
    expect((await post(model)).status).toBe(503);
    expect((await api.call('GET', `/models/${model.model_name}`)).status).toBe(404);
  });
});
