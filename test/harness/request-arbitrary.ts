import fc from 'fast-check';
import type { Json, JsonObject } from '../../lib/deep-merge.ts';
import { isJsonObject } from '../../lib/deep-merge.ts';

// Requests made from an OpenAPI document: mostly as it asks, with something wrong in many of them.

export interface FuzzRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly raw: string | Uint8Array<ArrayBuffer> | undefined;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { name: string; in: string; schema: JsonObject }[];
  readonly body: JsonObject | undefined;
  /** Each entry names credentials that together open it. */
  readonly security: Json;
}

/** What stands for a field or a parameter of that name: ids and names of real objects. */
export type Known = Readonly<Record<string, readonly string[]>>;

const depthMax = 6;

/** Every operation of the document. */
export function listOperations(document: JsonObject): Operation[] {
  return entriesOf(document['paths']).flatMap(([path, methods]) =>
    entriesOf(methods).map(([method, operation]) => {
      const { parameters, requestBody, security } = object(operation);
      const content = object(object(object(requestBody)['content'])['application/json']);
      return {
        method: method.toUpperCase(),
        path,
        parameters: (Array.isArray(parameters) ? parameters : []).map((one: Json) => ({
          name: text(object(one)['name']),
          in: text(object(one)['in']),
          schema: object(object(one)['schema']),
        })),
        body: isJsonObject(content['schema']) ? content['schema'] : undefined,
        security: security ?? [],
      };
    }),
  );
}

export function requestOf(
  document: JsonObject,
  operation: Operation,
  known: Known,
): fc.Arbitrary<FuzzRequest> {
  const { method, parameters, body } = operation;
  const names = [...operation.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '');
  const idOf = (name: string) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...(known[name] ?? ['none'])) },
      { weight: 1, arbitrary: fc.constantFrom(...Object.values(known).flat()) },
      { weight: 1, arbitrary: oddText },
    );
  const query = parameters.filter((one) => one.in === 'query');
  const queries = fc.record(
    Object.fromEntries(
      query.map((one) => [
        one.name,
        queryText(document, one.schema, { known, name: one.name, depth: 0 }),
      ]),
    ),
    { requiredKeys: [] },
  );
  return fc
    .record({
      filled: fc.tuple(...names.map(idOf)),
      query: queries,
      raw:
        body === undefined
          ? fc.constant(undefined)
          : bodyOf(document, body, { known, name: '', depth: 0 }),
      alias: fc.boolean(),
    })
    .map(({ filled, query: chosen, raw, alias }) => {
      const path = names.reduce(
        (template, name, index) => template.replace(`{${name}}`, encoded(filled[index] ?? '')),
        operation.path,
      );
      const search = Object.entries(chosen).map(([key, value]) => `${key}=${encoded(value ?? '')}`);
      const full = `${alias ? '/export' : ''}${path}${search.length > 0 ? `?${search.join('&')}` : ''}`;
      return { method, path: full, headers: {}, raw };
    });
}

/** As a client writes it; half a surrogate pair cannot be encoded, and a client would not send it. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

const oddText = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '%00',
    "'; drop table models;--",
    '../..',
    '"',
    '\\',
    'null',
    '-1',
    'NaN',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constant('x'.repeat(3000)),
);

const oddJson: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, -1, 1.5, 1e300, '', ' ', '\u0000', [], {}, [
    [[[[]]]],
  ]),
  fc.constant<Json>({ __proto__: null, constructor: {}, toString: 1 } as unknown as JsonObject),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>,
);

function queryText(document: JsonObject, schema: JsonObject, place: Place) {
  const right = valueOf(document, schema, place).map(text);
  return fc.oneof({ weight: 3, arbitrary: right }, { weight: 1, arbitrary: oddText });
}

/** Mostly a body of the right form, sometimes bytes that are none. */
function bodyOf(document: JsonObject, schema: JsonObject, place: Place) {
  const whole = valueOf(document, schema, place).map((value) => JSON.stringify(value));
  return fc.oneof(
    { weight: 20, arbitrary: whole as fc.Arbitrary<string | Uint8Array<ArrayBuffer>> },
    { weight: 1, arbitrary: whole.map((json) => json.slice(0, json.length / 2)) },
    { weight: 1, arbitrary: fc.constant('['.repeat(20_000)) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 60 }) as fc.Arbitrary<Uint8Array<ArrayBuffer>>,
    },
  );
}

interface Place {
  readonly known: Known;
  /** Of the field that the value is for. */
  readonly name: string;
  readonly depth: number;
}

/** Values of the schema, at every level sometimes another one. */
function valueOf(document: JsonObject, schema: JsonObject, place: Place): fc.Arbitrary<Json> {
  const resolved = resolve(document, schema);
  if (place.depth > depthMax) return fc.constant(null);
  return fc.oneof(
    { weight: 12, arbitrary: rightValue(document, resolved, { ...place, depth: place.depth + 1 }) },
    { weight: 1, arbitrary: oddJson },
  );
}

function rightValue(document: JsonObject, schema: JsonObject, place: Place): fc.Arbitrary<Json> {
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices))
    return fc.oneof(...choices.map((one: Json) => valueOf(document, object(one), place)));
  if (schema['const'] !== undefined) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as Json[]));
  const type = schema['type'];
  const one = Array.isArray(type) ? fc.constantFrom(...(type as string[])) : fc.constant(type);
  return one.chain((name) => {
    switch (name) {
      case 'object':
        return objectOf(document, schema, place);
      case 'array':
        return fc.array(valueOf(document, object(schema['items']), place), { maxLength: 4 });
      case 'integer':
      case 'number':
        return fc.integer({ min: -10, max: 100_000 });
      case 'boolean':
        return fc.boolean();
      case 'null':
        return fc.constant(null);
      case 'string':
        return textOf(schema, place);
      default:
        return oddJson;
    }
  });
}

function objectOf(
  document: JsonObject,
  schema: JsonObject,
  place: Place,
): fc.Arbitrary<JsonObject> {
  const fields = entriesOf(schema['properties']);
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const right = fc.record(
    Object.fromEntries(
      fields.map(([key, field]) => [
        key,
        valueOf(document, object(field), { ...place, name: key }),
      ]),
    ),
    { requiredKeys: required.map(String).filter((key) => fields.some(([name]) => name === key)) },
  );
  const more = schema['additionalProperties'];
  const others =
    isJsonObject(more) || fields.length === 0
      ? fc.dictionary(fc.string({ maxLength: 12 }), valueOf(document, object(more), place), {
          maxKeys: 3,
        })
      : fc.dictionary(fc.string({ maxLength: 12 }), oddJson, { maxKeys: 1 });
  return fc.tuple(others, right).map(([extra, fitting]) => ({ ...extra, ...fitting }));
}

function textOf(schema: JsonObject, { known, name }: Place): fc.Arbitrary<string> {
  const instant = fc
    .date({ noInvalidDate: true, min: new Date(0) })
    .map((date) => date.toISOString());
  if (schema['format'] === 'date-time') return instant;
  const real = known[name] ?? Object.values(known).flat();
  const id = fc.constantFrom(...real);
  if (schema['format'] === 'uuid' || known[name]) return id;
  return fc.oneof(id, fc.string({ maxLength: 30 }), fc.stringMatching(/^[a-z_]{1,20}$/));
}

function resolve(document: JsonObject, schema: JsonObject): JsonObject {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return schema;
  return reference
    .replace('#/', '')
    .split('/')
    .reduce<JsonObject>((below, key) => object(below[key]), document);
}

function entriesOf(value: Json | undefined): [string, Json][] {
  return Object.entries(object(value)).map(([key, below]) => [key, below ?? null]);
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function object(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
