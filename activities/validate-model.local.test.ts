import { afterAll, beforeAll, expect, test } from 'vitest';
import { memory } from '../connectors/memory.ts';
import type { ConnectorRegistry, Finding, Source } from '../connectors/connector.ts';
import { getModel } from '../db/models.ts';
import { getProbe, insertProbe } from '../db/probes.ts';
import { getSource } from '../db/sources.ts';
import { Failure } from '../domain/failure.ts';
import type { ModelDefinition } from '../domain/model.ts';
import { must } from '../lib/must.ts';
import { createMetadata, type Metadata } from '../test/harness/metadata.ts';
import { createShipment } from '../test/harness/shipment.ts';
import { stepDeps } from '../test/harness/steps.ts';
import { validateModel } from './validate-model.ts';

let metadata: Metadata;

beforeAll(async () => {
  metadata = await createMetadata();
});

afterAll(() => metadata[Symbol.asyncDispose]());

const index: Finding = {
  name: 'index',
  status: 'warning',
  message: 'Each read sorts. Run: create index …;',
  fix: 'create index …',
};

/** The memory connector, whose source advises so. */
const advising = (advise: Source['advise']) => changed({ advise });

function changed(verbs: Partial<Source>): ConnectorRegistry {
  const load = async () => {
    const source = must((await memory.load()).source, 'a source role');
    return {
      source: {
        ...source,
        open: async (...where: Parameters<typeof source.open>) =>
          Object.assign(await source.open(...where), verbs),
      },
    };
  };
  return new Map([['memory', { ...memory, load }]]);
}

/** What a worker finds out about a model that fits, but for these changes. */
async function validate(connectors: ConnectorRegistry, changes: Partial<ModelDefinition> = {}) {
  const shipment = await createShipment(metadata);
  const { db } = metadata;
  const environment = 'prod';
  const { definition } = await getModel(db, { environment, idOrName: shipment.modelId });
  const source = await getSource(db, { environment, id: must(definition.source_id, 'a source') });
  const kind = 'model';
  const probeId = await insertProbe(db, {
    environment,
    kind,
    connectionId: source.connectionId,
    input: { model: { ...definition, ...changes } },
  });
  await validateModel(stepDeps(shipment, { connectors }), { probeId, environment, kind });
  return (await getProbe(db, { environment, id: probeId })).result;
}

// The last-modified column of this source may be null, which is a doubt of its own.
const nullable = expect.objectContaining({ code: 'nullable' });

test('advice of the source is a warning', async () => {
  const { message } = index;
  const advice = { path: 'model.source_table', code: 'index_missing', message };
  expect(await validate(advising(async () => [index]))).toMatchObject({
    errors: [],
    warnings: [nullable, advice],
  });
});

test('a source that has no advice, or fails to give it, refuses no model', async () => {
  const fits = { errors: [], warnings: [nullable], sampledRows: 0 };
  expect(await validate(new Map([['memory', memory]]))).toMatchObject(fits);
  const failing = () => Promise.reject(new Failure('source_busy', 'Too busy.'));
  expect(await validate(advising(failing))).toMatchObject(fits);
});

test('a model that does not fit is told so, and nothing of its speed', async () => {
  const connectors = advising(async () => [index]);
  expect(await validate(connectors, { organization_column: 'account' })).toEqual({
    kind: 'model',
    errors: [expect.objectContaining({ code: 'column_missing' })],
    warnings: [nullable],
  });
});

test('what a sample shows is told, and a source too busy to show one refuses no model', async () => {
  const sample = { rows: 7, nulls: [], hasRepeatedKey: true, unfit: [] };
  expect(await validate(changed({ sample: async () => sample }))).toMatchObject({
    errors: [],
    warnings: [nullable, { code: 'key_repeated' }],
    sampledRows: 7,
  });
  const busy = () => Promise.reject(new Failure('source_busy', 'Too slow.'));
  expect(await validate(changed({ sample: busy }))).toMatchObject({
    errors: [],
    warnings: [nullable, { code: 'sample_missing', message: 'Too slow.' }],
  });
  const broken = () => Promise.reject(new Failure('source_mismatch', 'It does not run.'));
  expect(await validate(changed({ sample: broken }))).toMatchObject({
    errors: [{ path: 'model.source_table', message: 'It does not run.' }],
  });
});
