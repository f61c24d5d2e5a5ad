import { z } from 'zod';
import type { Json, JsonObject } from '../../lib/deep-merge.ts';
import { isJsonObject } from '../../lib/deep-merge.ts';
import { must } from '../../lib/must.ts';

/** What an answer is, as far as the OpenAPI document speaks of it. */
export interface Answered {
  readonly method: string;
  /** Without query and without the `/export` alias. */
  readonly path: string;
  readonly status: number;
  readonly body: unknown;
}

/** Holds answers against an OpenAPI document; throws where one is not as it says. */
export function createAnswerCheck(document: JsonObject): (answer: Answered) => void {
  const operations = listOperations(document);
  const known = new Map<string, z.ZodType>();
  return ({ method, path, status, body }) => {
    const operation = operations.find((one) => one.method === method && one.pattern.test(path));
    // 304 says that the client has it already: there is no body.
    if (operation === undefined || status === 304) return;
    const response = operation.responses[String(status)];
    const place = `${method} ${operation.path} ${status}`;
    const isOurFault = status === 413 || status >= 500 || status === 400;
    if (response === undefined && isOurFault) return;
    const schema =
      known.get(place) ?? toZod(document, must(response, `an answer declared for ${place}`));
    known.set(place, schema);
    const checked = schema.safeParse(body);
    if (!checked.success)
      throw new Error(`${place} is not as documented: ${checked.error.message}`);
  };
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly pattern: RegExp;
  readonly responses: JsonObject;
}

function listOperations(document: JsonObject): Operation[] {
  return Object.entries(asObject(document['paths'])).flatMap(([path, methods]) =>
    Object.entries(asObject(methods)).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
      responses: asObject(asObject(operation)['responses']),
    })),
  );
}

function toZod(document: JsonObject, response: Json): z.ZodType {
  const content = asObject(asObject(asObject(response)['content'])['application/json']);
  return z.fromJSONSchema(
    inline(document, must(content['schema'], 'a schema')) as Parameters<typeof z.fromJSONSchema>[0],
  );
}

/** The schema with every reference replaced by what it points at; ours do not recur. */
function inline(document: JsonObject, schema: Json): Json {
  if (Array.isArray(schema)) return schema.map((item: Json) => inline(document, item));
  if (!isJsonObject(schema)) return schema;
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const found = reference
      .replace('#/', '')
      .split('/')
      .reduce<Json>((below, key) => must(asObject(below)[key], reference), document);
    return inline(document, found);
  }
  const entries = Object.entries(schema).filter(([key]) => key !== 'example');
  return Object.fromEntries(entries.map(([key, value]) => [key, inline(document, value ?? null)]));
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
