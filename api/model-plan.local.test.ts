import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { at, createTestApi, type TestApi } from '../test/harness/api.ts';
import { makeSource, makeVendor } from '../test/harness/metadata.ts';

let api: TestApi;
let sourceName: string;

beforeAll(async () => {
  api = await createTestApi();
  sourceName = (await makeSource(api.metadata.db)).name;
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const missing = {
  path: 'model.columns[1].name_in_source',
  code: 'column_missing',
  message: 'No column net.',
};

beforeEach(() => {
  api.workflows.report = { kind: 'model', errors: [], warnings: [] };
  api.workflows.probes.length = 0;
});

test('a model is proposed of a table that a worker has described', async () => {
  const table = { source_name: sourceName, source_table: 'billing.invoice' };
  const column = { name: 'nr', type: 'int8', fits: ['bigint' as const], nullable: false };
  const described = { ...column, keyPlace: 1 };
  api.workflows.report = { kind: 'table', columns: [described], errors: [] };
  const answer = await api.call('POST', '/actions/infer-model', { body: table });
  expect(answer.body).toMatchObject({
    data: {
      model: {
        model_name: 'invoice',
        ...table,
        columns: [{ name_in_source: 'nr', data_type: 'bigint', is_primary_key: true }],
      },
      notes: [{ code: 'no_tenant' }, { code: 'no_last_modified' }, { message: 'int8' }],
    },
  });
  expect(api.workflows.probes).toMatchObject([{ kind: 'model' }]);
  api.workflows.report = { kind: 'table', columns: [], errors: [missing] };
  const refused = await api.call('POST', '/actions/infer-model', { body: table });
  expect(refused).toMatchObject({ status: 400, body: { errors: [missing] } });
});

test('a plan tells what a file would change, to nobody but whom it concerns', async () => {
  const { model, destination, recipient } = await makeVendor(api.metadata.db);
  const plan = (changes: object) => {
    const body = { model: { ...model.definition, ...changes } };
    return api.call('POST', '/actions/plan-model', { body });
  };
  const named = await plan({ description: 'One row per invoice' });
  expect(named.body).toMatchObject({
    data: {
      status: 'success',
      change: 'update',
      changed_fields: ['description'],
      counts: { destinations: 1, first_load: 1, change: 0 },
      destinations: [
        { destination_id: destination.id, recipient_id: recipient.id, action: 'first_load' },
      ],
    },
  });
  const again = await api.call('GET', `/models/${model.name}`);
  expect(at(again, 'data.model.revision_id')).toBe(model.revisionId);
  api.workflows.report = { kind: 'model', errors: [missing], warnings: [] };
  expect((await plan({})).body).toMatchObject({
    message: 'No column net.',
    data: { status: 'error', change: 'none', errors: [missing] },
  });
});
