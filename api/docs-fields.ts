import type { Json, JsonObject } from '../lib/deep-merge.ts';
import { isJsonObject } from '../lib/deep-merge.ts';

/** One line of a table of fields. */
export interface FieldRow {
  /** Dotted, `[]` for the items of a list. */
  readonly path: string;
  readonly type: string;
  /** The named object that it is, or that it is a list of, where that is told elsewhere on the page. */
  readonly object: string | undefined;
  readonly isRequired: boolean;
  readonly isNullable: boolean;
  readonly description: string;
}

interface FieldOptions {
  /** Named objects get a line only: their fields stand in a table of their own. */
  readonly foldsNamed: boolean;
}

/** Deeper fields are told by the example. */
const depthMax = 4;

/** An object below a JSON value, or an empty one. */
export function at(value: Json | undefined, ...path: string[]): JsonObject {
  const found = path.reduce<Json | undefined>(
    (below, key) => (isJsonObject(below) ? below[key] : undefined),
    value,
  );
  return isJsonObject(found) ? found : {};
}

/** Text below a JSON value, or an empty one. */
export function textAt(value: JsonObject, key: string): string {
  const found = value[key];
  return typeof found === 'string' ? found : '';
}

/** The fields of a schema of the document, the nested ones below their own. */
export function fieldsOf(
  document: JsonObject,
  schema: JsonObject,
  options: FieldOptions,
): FieldRow[] {
  return rowsBelow({ document, options }, schema, '');
}

interface Reader {
  readonly document: JsonObject;
  readonly options: FieldOptions;
}

function rowsBelow(reader: Reader, schema: JsonObject, above: string): FieldRow[] {
  const object = resolve(reader.document, schema);
  if (object['type'] === 'array') return rowsBelow(reader, at(object, 'items'), above);
  const required = Array.isArray(object['required']) ? object['required'] : [];
  return Object.entries(at(object, 'properties')).flatMap(([name, declared]) => {
    const row = rowOf(reader, at(declared), {
      path: `${above}${name}`,
      isRequired: required.includes(name),
    });
    const isFolded = row.object !== undefined || above.split('.').length >= depthMax;
    const below = row.type === 'list' ? `${row.path}[].` : `${row.path}.`;
    return isFolded ? [row] : [row, ...rowsBelow(reader, at(declared), below)];
  });
}

function rowOf(
  { document, options }: Reader,
  declared: JsonObject,
  { path, isRequired }: { path: string; isRequired: boolean },
): FieldRow {
  const field = resolve(document, declared);
  const name = nameOf(declared) ?? nameOf(at(field, 'items'));
  return {
    path,
    type: typeOf(field),
    object: options.foldsNamed ? name : undefined,
    isRequired,
    isNullable:
      choicesOf(declared).some((choice) => at(choice)['type'] === 'null') || hasNull(field),
    description: descriptionOf(declared, field),
  };
}

function hasNull({ type }: JsonObject): boolean {
  return Array.isArray(type) && type.includes('null');
}

/** The name of the object that a schema points at, be it beside null. */
function nameOf(schema: JsonObject): string | undefined {
  const reference = textAt(firstChoice(schema) ?? schema, '$ref');
  return reference === '' ? undefined : reference.replace('#/components/schemas/', '');
}

function choicesOf(schema: JsonObject): readonly Json[] {
  const choices = schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf'];
  return Array.isArray(choices) ? choices : [];
}

/** Of alternatives, the first that is not null. */
function firstChoice(schema: JsonObject): JsonObject | undefined {
  const choice = choicesOf(schema).find((one) => at(one)['type'] !== 'null');
  return choice === undefined ? undefined : at(choice);
}

function resolve(document: JsonObject, schema: JsonObject): JsonObject {
  const reference = textAt(schema, '$ref');
  if (reference !== '')
    return resolve(document, at(document, ...reference.replace('#/', '').split('/')));
  const choice = firstChoice(schema);
  return choice === undefined ? schema : resolve(document, choice);
}

/** The type of a field in words; its values where only some are allowed. */
export function typeOf(field: JsonObject): string {
  if (Array.isArray(field['enum'])) return field['enum'].map(String).join(' | ');
  if (typeof field['const'] === 'string') return field['const'];
  const { type } = field;
  const words = Array.isArray(type)
    ? type.filter((word) => word !== 'null').map(String)
    : [textAt(field, 'type')];
  return words.map((word) => typeWords[word] ?? word).join(' | ');
}

const typeWords: Readonly<Record<string, string>> = { array: 'list', '': 'any' };

function descriptionOf(...schemas: JsonObject[]): string {
  const parts = schemas.flatMap((schema) => [
    textAt(schema, 'description'),
    textAt(schema, 'help'),
  ]);
  const usual = schemas.map((schema) => schema['default']).find((value) => value !== undefined);
  const unique = [...new Set(parts.filter((part) => part !== ''))];
  return [...unique, ...(usual === undefined ? [] : [`Default: ${JSON.stringify(usual)}.`])].join(
    ' ',
  );
}
