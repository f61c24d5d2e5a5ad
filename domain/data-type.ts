/** The logical types: what a column means, whatever the source and the destination call it. */
export const logicalTypes = [
  'string',
  'boolean',
  'integer',
  'bigint',
  'decimal',
  'float',
  'timestamp',
  'date',
  'time',
  'bytes',
  'json',
  'array',
] as const;

export type LogicalType = (typeof logicalTypes)[number];

/** What each type may become where its values stand already: every one of them fits exactly. */
const widenings: Readonly<Partial<Record<LogicalType, readonly LogicalType[]>>> = {
  integer: ['bigint'],
};

/** Whether another type holds every value of a type. Decimals and floats land as wide as there is. */
export function isWidening(from: LogicalType, to: LogicalType): boolean {
  return widenings[from]?.includes(to) ?? false;
}

/** Other words for them; the model keeps the word as it was written. */
const synonyms: Readonly<Record<string, LogicalType>> = {
  text: 'string',
  varchar: 'string',
  char: 'string',
  uuid: 'string',
  bool: 'boolean',
  int: 'integer',
  smallint: 'integer',
  numeric: 'decimal',
  double: 'float',
  real: 'float',
  timestamptz: 'timestamp',
  datetime: 'timestamp',
  jsonb: 'json',
  binary: 'bytes',
  bytea: 'bytes',
};

const sized = /^(decimal|numeric)\(\s*\d{1,4}\s*(,\s*\d{1,4}\s*)?\)$/;

/** The logical type a word of a model file stands for, or `undefined` where it stands for none. */
export function findLogicalType(word: string): LogicalType | undefined {
  const lower = word.trim().toLowerCase();
  if (sized.test(lower)) return 'decimal';
  const exact = logicalTypes.find((type) => type === lower);
  return exact ?? (Object.hasOwn(synonyms, lower) ? synonyms[lower] : undefined);
}
