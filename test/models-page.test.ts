import JSON5 from 'json5';
import { expect, test } from 'vitest';
import { parseModel } from '../api/model-object.ts';
import { errorTitles } from '../domain/failure.ts';
import { checkModel, type ModelContext } from '../domain/model-rules.ts';
import { checkAgainstSource, type DescribedColumn } from '../domain/source-rules.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { must } from '../lib/must.ts';
import { readFile } from './source-tree.ts';

// docs/models.md has every rule of models with its code and an example: each example is tried here.

const { text } = readFile('docs/models.md');
const rows = [...text.matchAll(/^\| (.+?) \| `(\w+)` \| (.+) \|$/gm)].map(
  ([, rule = '', code = '', example = '']) => ({ rule, code, example }),
);

const file = JSON5.parse<{ model: JsonObject }>(
  must(/```json5\n([^`]+)```/.exec(text)?.[1], 'a model'),
);
const base: JsonObject = { ...file.model, model_name: 'invoices' };
const previous = parseModel(base);

const context: ModelContext = {
  environment: 'prod',
  sources: [
    { id: 'billing-id', name: 'billing' },
    { id: 'archive-id', name: 'archive' },
  ],
  otherTables: [{ table: 'customers', model: 'customers' }],
  history: {
    previous,
    previousSourceId: 'billing-id',
    droppedColumns: ['discount'],
    droppedTables: ['old_invoices'],
    wasTransferred: true,
  },
  multiTenant: true,
};

const source: DescribedColumn[] = [
  { name: 'id', type: 'integer', fits: ['integer', 'bigint', 'string'], nullable: false },
  { name: 'amount', type: 'numeric', fits: ['decimal', 'string'], nullable: true },
  { name: 'changed_at', type: 'timestamptz', fits: ['timestamp', 'string'], nullable: false },
  { name: 'account', type: 'text', fits: ['string'], nullable: false },
  { name: 'paid', type: 'boolean', fits: ['boolean', 'string'], nullable: false },
];

/** The model with an example laid on it: `{…}` changes the model, `columns[n]: {…}` one column. */
function changed(example: string): JsonObject {
  const [, index, patch = ''] = /^(?:columns\[(\d+)\]: )?(\{.+\})$/.exec(example) ?? [];
  const changes = JSON5.parse<JsonObject>(patch);
  if (index === undefined) return { ...base, ...changes };
  const columns = (base['columns'] as JsonObject[]).slice();
  while (columns.length <= Number(index)) {
    const name = `filler_${columns.length}`;
    columns.push({ name_in_source: name, name_in_destination: name, data_type: 'string' });
  }
  return {
    ...base,
    columns: columns.map((old, at) => (at === Number(index) ? { ...old, ...changes } : old)),
  };
}

function codesOf(model: JsonObject): string[] {
  const parsed = parseModel(model);
  const { violations } = checkModel(parsed, context);
  return [...violations, ...checkAgainstSource(parsed, source).errors].map(({ code }) => code);
}

const examples = rows.flatMap(({ code, example }) => {
  const [, patch] = /^`(.*\{.+\})`$/.exec(example) ?? [];
  return patch === undefined ? [] : [{ code, patch }];
});

test('the model at the top of the page breaks no rule', () => {
  expect(codesOf(base)).toEqual([]);
});

test.each(examples)('$patch is refused as $code', ({ code, patch }) => {
  expect(codesOf(changed(patch))).toContain(code);
});

test('every rule from M1 to M25 is on the page', () => {
  const numbers = rows.map(({ rule }) => Number(/^M(\d+)/.exec(rule)?.[1] ?? 0));
  expect([...new Set(numbers)].filter(Boolean).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 25 }, (_, index) => index + 1),
  );
});

test('every code of the rules is on the page, once, and every code of the page is in the rules', () => {
  const form = readFile('domain/model-rules.ts').text + readFile('domain/model-history.ts').text;
  const atSource = readFile('domain/source-rules.ts').text;
  const written = [
    ...[...form.matchAll(/'(M\d+_\w+)'/g)],
    ...[...atSource.matchAll(/code(?:: | = .*)'(\w+)'/g)],
  ].map(([, code = '']) => code);
  const listed = rows.map(({ code }) => code);
  expect(listed.filter((code, index) => listed.indexOf(code) !== index)).toEqual([]);
  expect(written.filter((code) => !listed.includes(code))).toEqual([]);
  // The others come of failures, or of what the source advises.
  const others = Object.keys(errorTitles).map((code) => code.toLowerCase());
  const known = [...written, ...others, 'sample_missing', 'index_missing', 'key_null'];
  expect(listed.filter((code) => !known.includes(code))).toEqual([]);
});
