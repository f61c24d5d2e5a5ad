import { z } from 'zod';

/** What a connector's declaration says about one field, below its optional and default wrappers. */
export interface Field {
  readonly schema: z.core.$ZodType;
  readonly isSecret: boolean;
  readonly isPlace: boolean;
  /** An object whose keys are nobody's but the vendor's: it may come as its text. */
  readonly isJson: boolean;
  /** Whether a block can do without it. */
  readonly isOptional: boolean;
}

/** What a declaration may say about a field; `connectors/connector.ts` tells what each means. */
export interface FieldMeta {
  readonly title?: string;
  readonly help?: string;
  readonly placeholder?: string;
  readonly secret?: boolean;
  readonly place?: boolean;
  readonly json?: boolean;
  readonly internal?: boolean;
  readonly needed?: boolean;
  readonly keyFormat?: 'ssh_rsa' | 'pkcs8';
  readonly options?: Readonly<Record<string, string>>;
}

/** All that is said about the field, the outermost word first. */
export function metaOf(schema: z.core.$ZodType): FieldMeta {
  const said = unwrap(schema).map((part) => z.globalRegistry.get(part) ?? {});
  return Object.assign({}, ...said.toReversed()) as FieldMeta;
}

/** The field behind `optional`, `nullable`, `default` and the like; their metadata counts too. */
export function fieldOf(schema: z.core.$ZodType): Field {
  const chain = unwrap(schema);
  const { secret, place, json } = metaOf(schema);
  return {
    schema: chain.at(-1) ?? schema,
    isSecret: secret === true,
    isPlace: place === true,
    isJson: json === true,
    isOptional: z.safeParse(schema, undefined).success,
  };
}

/** The words that a field is one of; none where it is free. */
export function wordsOf(schema: z.core.$ZodType): string[] {
  const { schema: inner } = fieldOf(schema);
  if (inner instanceof z.ZodEnum) return inner.options.map(String);
  return inner instanceof z.ZodLiteral ? [...inner.values].map(String) : [];
}

/** Fields whose word names an object beside them, with the names of those objects. */
export function choicesOf(schema: z.core.$ZodType): { field: string; objects: string[] }[] {
  const shape = shapeOf(schema);
  const isObject = (name: string) => Object.keys(shapeOf(shape[name] ?? z.never())).length > 0;
  return Object.entries(shape)
    .map(([field, declared]) => ({ field, objects: wordsOf(declared).filter(isObject) }))
    .filter(({ objects }) => objects.length > 0);
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const chain: z.core.$ZodType[] = [schema];
  for (let inner = innerOf(schema); inner !== undefined; inner = innerOf(inner)) chain.push(inner);
  return chain;
}

function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodPipe)
    return schema.in instanceof z.ZodTransform ? schema.out : schema.in;
  const wrapped =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly;
  return wrapped ? schema.def.innerType : undefined;
}

/** The fields of an object schema by name; none where the schema is no object. */
export function shapeOf(schema: z.core.$ZodType): Record<string, z.core.$ZodType> {
  const { schema: object } = fieldOf(schema);
  return object instanceof z.ZodObject ? object.shape : {};
}
