import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import { ModelDefinition } from '../domain/model.ts';
import type { Json, JsonObject } from '../lib/deep-merge.ts';
import { deepMerge, isJsonObject } from '../lib/deep-merge.ts';
import type { AppDeps, AppEnv } from './deps.ts';
import { apiVersion } from './middleware.ts';

/** How a vendor block stands in an object: as a whole, with what changes only, or as it is read back. */
type BlockForm = 'whole' | 'patch' | 'read';

/** Objects whose vendor block depends on the connectors there are, and the role they have. */
const withBlocks: Readonly<Record<string, readonly ['source' | 'destination', BlockForm]>> = {
  SourceInput: ['source', 'whole'],
  SourcePatch: ['source', 'patch'],
  Source: ['source', 'read'],
  DestinationInput: ['destination', 'whole'],
  DestinationPatch: ['destination', 'patch'],
  Destination: ['destination', 'read'],
};

/** The OpenAPI document of all routes, with the vendor blocks of the connectors filled in. */
export function describeApi(app: OpenAPIHono<AppEnv>, deps: AppDeps): JsonObject {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-KEY',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'scopedToken', {
    type: 'http',
    scheme: 'bearer',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'origin', {
    type: 'apiKey',
    in: 'header',
    name: 'X-APP-ID',
  });
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Waybill',
      version: apiVersion,
      description: 'Sends each recipient its own rows, and keeps them current.',
    },
    servers: [{ url: deps.publicUrl }],
  });
  const schemas = Object.entries(withBlocks).map(([name, [role, form]]) => {
    return [name, { properties: blocksOf(deps.registry, role, form) }];
  });
  const components = { schemas: { ...Object.fromEntries(schemas), ...modelSchemas() } };
  return deepMerge(toJson(document), { components });
}

/** The routes take models as any object, and say later all that is wrong with one; here are its fields. */
function modelSchemas(): JsonObject {
  const { $schema: _, ...whole } = toJson(z.toJSONSchema(ModelDefinition, { io: 'input' }));
  return { ModelInput: whole, ModelPatch: { ...whole, required: [] } };
}

function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function blocksOf(
  registry: ConnectorRegistry,
  role: 'source' | 'destination',
  form: BlockForm,
): JsonObject {
  const blocks = [...registry.values()].flatMap((declaration) => {
    const schema = declaration[role];
    const isAvailable = schema !== undefined && declaration.isPlanned !== true;
    return !isAvailable ? [] : [[declaration.kind, blockOf(schema, form)] as const];
  });
  return Object.fromEntries(blocks);
}

function blockOf(schema: z.ZodObject, form: BlockForm): JsonObject {
  const io = form === 'read' ? 'output' : 'input';
  const { $schema: _, ...json } = toJson(z.toJSONSchema(schema, { io, unrepresentable: 'any' }));
  if (form === 'read') return asRead(json);
  const { required: _required, ...optional } = json;
  return form === 'patch' ? optional : json;
}

/** Secrets are never read back, what is unset is null, and objects that no word names are not there. */
function asRead(object: JsonObject): JsonObject {
  const { properties, required, ...rest } = object;
  const all = isJsonObject(properties) ? Object.entries(properties) : [];
  const shown = all.filter(([, field]) => !(isJsonObject(field) && field['secret'] === true));
  const needed = Array.isArray(required) ? required : [];
  const fields = shown.map(([name, field]) => {
    const read =
      isJsonObject(field) && field['type'] === 'object' ? asRead(field) : (field ?? null);
    return [name, needed.includes(name) ? read : { anyOf: [read, { type: 'null' }] }];
  });
  const chosen = new Set(shown.flatMap(([, field]) => wordsOf(field)));
  const present = shown.map(([name]) => name).filter((name) => !chosen.has(name));
  return { ...rest, properties: Object.fromEntries(fields), required: present };
}

function wordsOf(field: Json | undefined): Json[] {
  if (!isJsonObject(field)) return [];
  const { enum: words, const: word } = field;
  return [...(Array.isArray(words) ? words : []), ...(word === undefined ? [] : [word])];
}
