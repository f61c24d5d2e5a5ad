import { z } from 'zod';

/** What a connector's declaration says about one field, below its optional and default wrappers. */
export interface Field {
  readonly schema: z.core.$ZodType;
  readonly isSecret: boolean;
  readonly isPlace: boolean;
}

/** The field behind `optional`, `nullable`, `default` and the like; their metadata counts too. */
export function fieldOf(schema: z.core.$ZodType): Field {
  const chain = unwrap(schema);
  const has = (name: 'secret' | 'place') =>
    chain.some((part) => z.globalRegistry.get(part)?.[name] === true);
  return { schema: chain.at(-1) ?? schema, isSecret: has('secret'), isPlace: has('place') };
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
