import { z } from 'zod';
import type { JsonObject } from '../lib/deep-merge.ts';
import { deepMerge, isJsonObject } from '../lib/deep-merge.ts';
import type { FormNode } from './form-tree.ts';
import { fieldOf, shapeOf } from './settings-shape.ts';

// Fields of a connection that a magic link fills in and locks. They have names of their own on the wire;
// where they belong in the vendor's block follows from its declaration.

/** Each preset, and the names that its field has in vendor blocks. */
const fieldNames = {
  bucket_vendor: ['bucket_vendor'],
  bucket_name: ['bucket_name'],
  bucket_region: ['bucket_region'],
  bucket_access_id: ['access_id', 'access_key'],
  bucket_host: ['host'],
  metastore: ['metastore'],
  catalog: ['catalog'],
  table_bucket_arn: ['table_bucket_arn'],
} as const satisfies Record<string, readonly string[]>;

export type PresetName = keyof typeof fieldNames;
export const presetNames = Object.keys(fieldNames) as PresetName[];
export type Presets = Readonly<Partial<Record<PresetName, string>>>;

type Path = readonly string[];

interface Place {
  readonly path: Path;
  readonly field: z.core.$ZodType;
}

/** The presets that the vendor has no field for, or whose value that field does not take. */
export function unfitPresets(schema: z.ZodObject, presets: Presets): PresetName[] {
  return presetNames.filter((name) => {
    const value = presets[name];
    if (value === undefined) return false;
    const places = placesOf(schema, name);
    return !places.some(({ field }) => z.safeParse(field, value).success);
  });
}

/** The block with the presets in their places; `locked` are the paths where it says something else. */
export function fillPresets(
  schema: z.ZodObject,
  presets: Presets,
  block: JsonObject,
): { block: JsonObject; locked: string[] } {
  const bucket = presets.bucket_vendor ?? block['bucket_vendor'];
  const all = presetNames.flatMap((name) => {
    const value = presets[name];
    if (value === undefined) return [];
    const places = placesOf(schema, name).map(({ path }) => path);
    const ofBucket = places.filter((path) => typeof bucket === 'string' && path.includes(bucket));
    return (ofBucket.length > 0 ? ofBucket : places).map((path) => ({ path, value }));
  });
  const differs = ({ path, value }: (typeof all)[number]) => {
    const given = valueAt(block, path);
    return given !== undefined && given !== null && given !== '' && given !== value;
  };
  return {
    block: all.reduce((filled, { path, value }) => deepMerge(filled, nest(path, value)), block),
    locked: all.filter(differs).map(({ path }) => path.join('.')),
  };
}

/** The form with the presets as constants. */
export function lockForm(node: FormNode, presets: Presets): FormNode {
  const name = presetNames.find(
    (preset) => presets[preset] !== undefined && fieldNames[preset].some((it) => it === node.name),
  );
  const value = name && presets[name];
  return {
    ...node,
    ...(value !== undefined && { const: value }),
    children: node.children?.map((child) => lockForm(child, presets)) ?? null,
  };
}

function placesOf(schema: z.ZodObject, name: PresetName): Place[] {
  const names: readonly string[] = fieldNames[name];
  const places = leavesOf(schema, []).filter(({ path }) => names.includes(path.at(-1) ?? ''));
  if (name !== 'bucket_host') return places;
  // A host beside a bucket's name is the host of the store, any other one that of the database.
  const buckets = placesOf(schema, 'bucket_name').map(({ path }) => path.slice(0, -1).join('.'));
  return places.filter(({ path }) => buckets.includes(path.slice(0, -1).join('.')));
}

function leavesOf(schema: z.core.$ZodType, above: Path): Place[] {
  return Object.entries(shapeOf(schema)).flatMap(([key, field]) => {
    const path = [...above, key];
    return fieldOf(field).schema instanceof z.ZodObject ? leavesOf(field, path) : [{ path, field }];
  });
}

function valueAt(block: JsonObject, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, block);
}

function nest(path: Path, value: string): JsonObject {
  const [key = '', ...rest] = path;
  return { [key]: rest.length === 0 ? value : nest(rest, value) };
}
