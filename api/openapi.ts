import type { OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import { deepMerge } from '../lib/deep-merge.ts';
import type { AppDeps, AppEnv } from './deps.ts';
import { apiVersion } from './middleware.ts';

/** Objects whose vendor block depends on the connectors there are, and the role they have. */
const withBlocks = {
  SourceInput: 'source',
  SourcePatch: 'source',
  Source: 'source',
  DestinationInput: 'destination',
  DestinationPatch: 'destination',
  Destination: 'destination',
} as const;

/** The OpenAPI document of all routes, with the vendor blocks of the connectors filled in. */
export function describeApi(app: OpenAPIHono<AppEnv>, deps: AppDeps): JsonObject {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-KEY',
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
  const schemas = Object.entries(withBlocks).map(([name, role]) => {
    return [name, { properties: blocksOf(deps.registry, role, !name.includes('Patch')) }];
  });
  return deepMerge(toJson(document), { components: { schemas: Object.fromEntries(schemas) } });
}

function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function blocksOf(registry: ConnectorRegistry, role: 'source' | 'destination', isWhole: boolean): JsonObject {
  const blocks = [...registry.values()].flatMap((declaration) => {
    const schema = declaration[role];
    return schema === undefined ? [] : [[declaration.kind, blockOf(schema, isWhole)] as const];
  });
  return Object.fromEntries(blocks);
}

/** In a patch nothing is required; in what is read back secrets are missing, so nothing is there either. */
function blockOf(schema: z.ZodObject, isWhole: boolean): JsonObject {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  delete json.$schema;
  if (!isWhole) delete json.required;
  return toJson(json);
}
