import type { Json, JsonObject } from '../lib/deep-merge.ts';
import { isJsonObject } from '../lib/deep-merge.ts';

/** One line of a table of fields. */
export interface FieldRow {
  /** Dotted, `[]` for the items of a list. */
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
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
export function fieldsOf(document: JsonObject, schema: JsonObject, above = ''): FieldRow[] {
  const depth = above.split('.').length;
  const object = resolve(document, schema);
  if (object['type'] === 'array') return fieldsOf(document, at(object, 'items'), above);
  const required = Array.isArray(object['required']) ? object['required'] : [];
  return Object.entries(at(object, 'properties')).flatMap(([name, declared]) => {
    const field = resolve(document, at(declared));
    const type = typeOf(field);
    const path = `${above}${name}`;
    const isRequired = required.includes(name);
    const row = { path, type, isRequired, description: descriptionOf(at(declared), field) };
    const below = type === 'list' ? `${path}[].` : `${path}.`;
    return depth >= depthMax ? [row] : [row, ...fieldsOf(document, field, below)];
  });
}

/** Follows a reference; of alternatives, the first that is not null. */
function resolve(document: JsonObject, schema: JsonObject): JsonObject {
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    return resolve(document, at(document, ...reference.replace('#/', '').split('/')));
  }
  for (const word of ['anyOf', 'oneOf', 'allOf']) {
    const choices = schema[word];
    const choice = Array.isArray(choices)
      ? choices.find((one) => at(one)['type'] !== 'null')
      : undefined;
    if (choice !== undefined) return resolve(document, at(choice));
  }
  return schema;
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
