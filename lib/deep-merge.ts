export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** Whether the value is an object with keys: no array, no null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` laid on `base`: objects key by key, everything else (arrays and null too) replaced whole. */
export function deepMerge(base: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json | undefined> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(base, key) ? base[key] : undefined;
    const both = isJsonObject(below) && isJsonObject(value);
    // Defined, not assigned: a key `__proto__` in a body is a key like any other.
    Object.defineProperty(merged, key, {
      value: both ? deepMerge(below, value) : value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return merged;
}
