import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ConnectorDeclaration, ConnectorRegistry } from '../connectors/connector.ts';
import type { ConnectionRole } from '../db/connections.ts';
import type { Json, JsonObject } from '../lib/deep-merge.ts';
import { deepMerge, isJsonObject } from '../lib/deep-merge.ts';
import { keyPlaces } from '../domain/key-places.ts';
import type { Violation } from '../domain/failure.ts';
import { invalid, invalidInput } from './errors.ts';
import { choicesOf, fieldOf, shapeOf, wordsOf } from './settings-shape.ts';

/** A vendor block taken apart: the secrets apart from what may be stored and echoed as it is. */
export interface Settings {
  readonly settings: JsonObject;
  readonly secrets: JsonObject;
}

/** A secret that is stored already, where a schema asks for one. It never leaves this file. */
const storedSecret = 'stored';

/** The vendor's schema for the role. @throws Failure `invalid` for a vendor that is not served. */
export function settingsSchema(
  registry: ConnectorRegistry,
  role: ConnectionRole,
  vendor: string,
): z.ZodObject {
  const declaration = registry.get(vendor);
  const schema = declaration?.[role];
  if (schema !== undefined && declaration?.isPlanned !== true) return schema;
  const served = [...registry.values()]
    .filter((one) => one[role] !== undefined && one.isPlanned !== true)
    .map(kindOf)
    .sort();
  const message =
    (schema === undefined
      ? `Vendor "${vendor.slice(0, 60)}" is not served as a ${role} by this version of Waybill; `
      : `${declaration?.title} cannot be connected as a ${role} yet: its connector is not built; `) +
    `served: ${served.join(', ')}.`;
  throw invalid([{ path: `${role}.vendor`, code: 'unknown_vendor', message }]);
}

function kindOf(declaration: ConnectorDeclaration): string {
  return declaration.kind;
}

/** The checked block, with its defaults. `path` is where it stands in the request. */
export function parseSettings(schema: z.ZodObject, block: unknown, path: string): Settings {
  const cleaned = isJsonObject(block) ? dropOthers(schema, clean(schema, block)) : block;
  const parsed = schema.safeParse(cleaned);
  if (!parsed.success) throw invalidInput(parsed.error, cleaned, path);
  const used = dropOthers(schema, toJson(parsed.data));
  const missing = missingObjects(schema, used, path);
  if (missing.length > 0) throw invalid(missing);
  return splitSecrets(schema, used);
}

/** What is stored of a connection, as far as a patch needs it. */
export interface StoredSettings {
  readonly settings: JsonObject;
  /** Dotted paths of the secrets that are stored. */
  readonly secretPaths: readonly string[];
}

/**
 * The stored block with a patch laid on it, checked as a whole. Secrets that the patch leaves out, empties
 * or nulls are not in the result: they stay as they are stored.
 */
export function patchSettings(
  schema: z.ZodObject,
  stored: StoredSettings,
  patch: { block: unknown; path: string },
) {
  if (patch.block !== undefined && !isJsonObject(patch.block)) {
    throw invalid([
      { path: patch.path, code: 'invalid_type', message: `${patch.path} must be an object.` },
    ]);
  }
  const merged = deepMerge(stored.settings, withoutEmptyKeys(patch.block ?? {}));
  const used = dropOthers(schema, merged);
  const isStillUsed = (path: string) => isJsonObject(valueAt(used, path.split('.').slice(0, -1)));
  const kept = stored.secretPaths.filter(
    (path) => isStillUsed(path) && isUnset(valueAt(merged, path.split('.'))),
  );
  const complete = kept.reduce(
    (block, path) => setAt(block, path.split('.'), storedSecret),
    merged,
  );
  const { settings, secrets } = parseSettings(schema, complete, patch.path);
  const changed = kept.reduce((block, path) => setAt(block, path.split('.'), undefined), secrets);
  return { settings, secrets: toJson(changed), keptSecretPaths: kept };
}

function isUnset(value: Json | undefined): boolean {
  return value === undefined || value === null || value === '';
}

function valueAt(block: JsonObject, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((value, key) => {
    return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, block);
}

function setAt(block: JsonObject, path: readonly string[], value: Json | undefined): JsonObject {
  const [key = '', ...rest] = path;
  const below = block[key];
  const set = rest.length === 0 ? value : setAt(isJsonObject(below) ? below : {}, rest, value);
  return { ...block, [key]: set };
}

/** A page shows a key of ours and sends it empty: the one that is stored stays. */
function withoutEmptyKeys(block: JsonObject): JsonObject {
  const entries = keyPlaces.flatMap(({ object, publicKey }) => {
    const below = block[object];
    if (!isJsonObject(below) || !isUnset(below[publicKey])) return [];
    const { [publicKey]: _empty, ...rest } = below;
    return [[object, rest] as const];
  });
  return { ...block, ...Object.fromEntries(entries) };
}

/** Null means: not given, and so does empty text of what may be left out. Numbers may come as text. */
function clean(schema: z.core.$ZodType, block: JsonObject): JsonObject {
  const shape = shapeOf(schema);
  const entries = Object.entries(block).flatMap(([key, value]): [string, Json][] => {
    const declared = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (declared === undefined || value === undefined || value === null) return [];
    const field = fieldOf(declared);
    if (isJsonObject(value) && !field.isJson) return [[key, clean(declared, value)]];
    if (value === '' && (field.isSecret || field.isOptional)) return [];
    const isNumberText = typeof value === 'string' && /^\s*\d{1,9}\s*$/.test(value);
    return [[key, isNumberText && field.schema instanceof z.ZodNumber ? Number(value) : value]];
  });
  return Object.fromEntries(entries);
}

/** Drops objects, at any depth, that the word beside them does not name; all stay where it names none. */
function dropOthers(schema: z.core.$ZodType, block: JsonObject): JsonObject {
  const shape = shapeOf(schema);
  const unused = choicesOf(schema).flatMap(({ field, objects }) => {
    const word = block[field];
    const isWord = typeof word === 'string' && wordsOf(shape[field] ?? schema).includes(word);
    return isWord ? objects.filter((name) => name !== word) : [];
  });
  const entries = Object.entries(block)
    .filter(([key]) => !unused.includes(key))
    .map(([key, value]) => {
      const declared = Object.hasOwn(shape, key) ? shape[key] : undefined;
      return [key, declared && isJsonObject(value) ? dropBelow(declared, value) : value];
    });
  return Object.fromEntries(entries) as JsonObject;
}

function dropBelow(declared: z.core.$ZodType, value: JsonObject): JsonObject {
  return fieldOf(declared).isJson ? value : dropOthers(declared, value);
}

/** Objects that a word names and that are not there, where they would have to say something. */
function missingObjects(schema: z.core.$ZodType, block: JsonObject, path: string): Violation[] {
  const shape = shapeOf(schema);
  const here = choicesOf(schema).flatMap(({ field, objects }): Violation[] => {
    const word = block[field];
    if (typeof word !== 'string' || !objects.includes(word) || block[word] !== undefined) return [];
    if (z.safeParse(innerOf(shape[word]), {}).success) return [];
    const message = `${path}.${word} is missing; it must be an object, because ${field} is ${word}.`;
    return [{ path: `${path}.${word}`, code: 'required', message }];
  });
  const below = Object.entries(block).flatMap(([key, value]) => {
    const declared = shape[key];
    return declared && isJsonObject(value) && !fieldOf(declared).isJson
      ? missingObjects(declared, value, `${path}.${key}`)
      : [];
  });
  return [...here, ...below];
}

function innerOf(declared: z.core.$ZodType | undefined): z.core.$ZodType {
  return declared === undefined ? z.never() : fieldOf(declared).schema;
}

function splitSecrets(schema: z.core.$ZodType, block: JsonObject): Settings {
  const settings: Record<string, Json> = {};
  const secrets: Record<string, Json> = {};
  const shape = shapeOf(schema);
  for (const [key, value] of Object.entries(block)) {
    const declared = shape[key];
    if (declared === undefined || value === undefined) continue;
    if (fieldOf(declared).isSecret) {
      // As text, because a new key file replaces the old one as a whole.
      secrets[key] = isJsonObject(value) ? JSON.stringify(value) : value;
    } else if (isJsonObject(value) && !fieldOf(declared).isJson) {
      const below = splitSecrets(declared, value);
      settings[key] = below.settings;
      if (Object.keys(below.secrets).length > 0) secrets[key] = below.secrets;
    } else {
      settings[key] = value;
    }
  }
  return { settings, secrets };
}

/** The block as the API answers it: what is unset is null, so that clients see no field come and go. */
export function echoSettings(schema: z.ZodObject | undefined, settings: JsonObject): JsonObject {
  if (schema === undefined) return settings;
  const shape = shapeOf(schema);
  const chosen = choicesOf(schema).flatMap(({ objects }) => objects);
  const unset = Object.entries(shape)
    .filter(([key, declared]) => !chosen.includes(key) && !fieldOf(declared).isSecret)
    .map(([key]) => [key, null]);
  const set = Object.entries(settings).map(([key, value]) => {
    const declared = shape[key] && fieldOf(shape[key]).schema;
    const isBlock = isJsonObject(value) && declared instanceof z.ZodObject;
    return [key, isBlock ? echoSettings(declared, value) : value];
  });
  return { ...Object.fromEntries(unset), ...Object.fromEntries(set) };
}

/** A fingerprint of where the rows physically land: equal for two blocks that point at the same place. */
export function placeOf(schema: z.ZodObject, vendor: string, settings: JsonObject): string {
  // Behind a tunnel a host is what its server makes of the name; a tunnel that is not used says nothing.
  const { ssh_tunnel: _unused, ...direct } = settings;
  const isTunnelled = settings['use_ssh_tunnel'] === true;
  const parts = placesIn(schema, isTunnelled ? settings : direct, '');
  return createHash('sha256')
    .update(JSON.stringify([vendor, ...parts]))
    .digest('hex');
}

function placesIn(schema: z.core.$ZodType, block: JsonObject, above: string): [string, string][] {
  return Object.entries(shapeOf(schema)).flatMap(([key, declared]): [string, string][] => {
    const value = block[key];
    const path = `${above}${key}`;
    if (isJsonObject(value)) return placesIn(declared, value, `${path}.`);
    if (!fieldOf(declared).isPlace || value === undefined) return [];
    // Host names are the same in either case; databases and schemas are not.
    const text = JSON.stringify(value);
    return [[path, key.endsWith('host') ? text.toLowerCase() : text]];
  });
}

function toJson(value: unknown): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
