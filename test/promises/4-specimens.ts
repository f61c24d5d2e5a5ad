import type { PostgresMajor } from '../../bin/embedded-postgres.ts';
import type { Encoding } from '../../domain/load.ts';

// Values that copies get wrong, by the type they have at the source and the one they are declared as.

/** Types and extensions that specimens need at the source. */
export const madeTypes = `
  create extension citext; create extension hstore;
  create type mood as enum ('sad', 'very happy');
  create type pair as (a int, b text);
  create domain share as int check (value <= 100);
  create domain percent as share;`;

export interface Specimen {
  /** Type of the source column. */
  readonly type: string;
  readonly as: string;
  /** SQL literals of the source. */
  readonly values: readonly string[];
  /** What the destination holds, as text; the literal's own content where left out. */
  readonly lands?: readonly string[];
  /** Encodings it can be read in; both where left out. */
  readonly encodings?: readonly Encoding[];
  /** The first server that knows the type or the values. */
  readonly since?: PostgresMajor;
}

/** The text in which each value lands. */
export function landedTexts({ lands, values }: Specimen): readonly string[] {
  return lands ?? values.map((value) => value.replaceAll(`'`, ''));
}

export function specimensOf(major: PostgresMajor): Specimen[] {
  return specimens.filter(({ since = 12 }) => since <= major);
}

const textOnly: readonly Encoding[] = ['copy_text_messages', 'copy_text'];

const specimens: readonly Specimen[] = [
  { type: 'smallint', as: 'integer', values: ['-32768', '32767'] },
  { type: 'smallint', as: 'decimal', values: ['-32768'] },
  { type: 'integer', as: 'bigint', values: ['-2147483648'] },
  { type: 'integer', as: 'string', values: ['-2147483648'] },
  { type: 'integer', as: 'float', values: ['2147483647'] },
  { type: 'bigint', as: 'string', values: ['9223372036854775807'] },
  { type: 'bigint', as: 'decimal', values: ['-9223372036854775808'] },
  { type: 'oid', as: 'bigint', values: ['4294967295'] },
  { type: 'numeric(18,0)', as: 'bigint', values: ['999999999999999999'] },
  { type: 'numeric(9,0)', as: 'integer', values: ['-999999999'] },
  {
    type: 'numeric',
    as: 'decimal',
    values: [`'NaN'`, '1.0', '1.00', '-0.000', `'1e-16383'`, `repeat('9', 131072)::numeric`],
    lands: ['NaN', '1.0', '1.00', '0.000', `0.${'0'.repeat(16382)}1`, '9'.repeat(131072)],
  },
  { type: 'numeric(38,9)', as: 'string', values: ['12345678901234567890123456789.123456789'] },
  {
    type: 'real',
    as: 'float',
    values: ['0.1', `'3.4028235e+38'`, `'NaN'`, `'-Infinity'`, `'-0'`],
    lands: ['0.1', '3.4028235e+38', 'NaN', '-Infinity', '-0'],
    encodings: textOnly,
  },
  {
    type: 'double precision',
    as: 'float',
    values: [`'1.7976931348623157e+308'`, `'5e-324'`, '0.1', '0.30000000000000004'],
    lands: ['1.7976931348623157e+308', '5e-324', '0.1', '0.30000000000000004'],
  },
  { type: 'money', as: 'decimal', values: [`'-12.34'`], lands: ['-12.34'] },
  { type: 'boolean', as: 'boolean', values: ['true', 'false'], lands: ['t', 'f'] },
  { type: 'boolean', as: 'string', values: ['true', 'false'] },
  {
    type: 'timestamptz',
    as: 'timestamp',
    values: [
      `'2026-02-03 04:05:06.000007+05:30'`,
      `'4714-11-24 00:00:00+00 BC'`,
      `'294276-12-31 23:59:59.999999+00'`,
      `'infinity'`,
    ],
    lands: [
      '2026-02-02 22:35:06.000007+00',
      '4714-11-24 00:00:00+00 BC',
      '294276-12-31 23:59:59.999999+00',
      'infinity',
    ],
  },
  {
    type: 'timestamp',
    as: 'timestamp',
    values: [`'2026-02-03 04:05:06.000007'`, `'-infinity'`, `'0044-03-15 BC'`],
    lands: ['2026-02-03 04:05:06.000007+00', '-infinity', '0044-03-15 00:00:00+00 BC'],
  },
  {
    type: 'date',
    as: 'timestamp',
    values: [`'2026-03-02'`, `'infinity'`],
    lands: ['2026-03-02 00:00:00+00', 'infinity'],
  },
  { type: 'date', as: 'date', values: [`'2026-12-02'`, `'5874897-12-31'`, `'0001-01-01 BC'`] },
  { type: 'time', as: 'time', values: [`'24:00:00'`, `'00:00:00.000001'`] },
  { type: 'timetz', as: 'string', values: [`'10:11:12.5+05:30'`], encodings: textOnly },
  {
    type: 'interval',
    as: 'string',
    values: [`'-1 days -02:03'`, `'1 year -2 mons'`],
    lands: ['-1 days -02:03:00', '10 mons'],
    encodings: textOnly,
  },
  { type: 'char(5)', as: 'string', values: [`'ab'`], lands: ['ab   '] },
  { type: 'varchar(3)', as: 'string', values: [`'äöü'`] },
  { type: 'name', as: 'string', values: [`'a name'`] },
  {
    type: 'uuid',
    as: 'string',
    values: [`'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`],
    lands: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  },
  { type: 'citext', as: 'string', values: [`'MiXed'`] },
  { type: 'mood', as: 'string', values: [`'very happy'`] },
  { type: 'inet', as: 'string', values: [`'10.0.0.1'`, `'10.0.0.0/8'`], encodings: textOnly },
  { type: 'macaddr', as: 'string', values: [`'08:00:2b:01:02:03'`], encodings: textOnly },
  { type: 'bit(3)', as: 'string', values: [`B'101'`], lands: ['101'], encodings: textOnly },
  { type: 'point', as: 'string', values: [`'(1,2.5)'`], encodings: textOnly },
  { type: 'int4range', as: 'string', values: [`'[1,3)'`], encodings: textOnly },
  {
    type: 'tsvector',
    as: 'string',
    values: [`'a b'::tsvector`],
    lands: [`'a' 'b'`],
    encodings: textOnly,
  },
  { type: 'regclass', as: 'string', values: [`'pg_class'`], encodings: textOnly },
  { type: 'hstore', as: 'string', values: [`'a=>1'`], lands: ['"a"=>"1"'], encodings: textOnly },
  {
    type: 'xml',
    as: 'string',
    values: [`xmlparse(content '<a/>text<b/>')`],
    lands: ['<a/>text<b/>'],
  },
  { type: 'bytea', as: 'bytes', values: [`'\\x000aff5c'`, `''`], lands: ['\\x000aff5c', '\\x'] },
  {
    type: 'jsonb',
    as: 'json',
    values: [`'{"b": 1.10, "a": "\\u00e9"}'`],
    lands: ['{"a": "é", "b": 1.10}'],
  },
  {
    type: 'json',
    as: 'json',
    values: [`'{"b":1,"b":2}'`],
    lands: ['{"b": 2}'],
    encodings: textOnly,
  },
  { type: 'json', as: 'string', values: [`'{"b":1,  "b":2}'`] },
  { type: 'integer[]', as: 'array', values: [`'{1,NULL,3}'`], lands: ['[1, null, 3]'] },
  {
    type: 'text[]',
    as: 'json',
    values: [`array['NULL', null, 'a"b', '']`],
    lands: ['["NULL", null, "a\\"b", ""]'],
  },
  {
    type: 'text[]',
    as: 'string',
    values: [`array['NULL', null]`],
    lands: ['{"NULL",NULL}'],
    encodings: textOnly,
  },
  { type: 'pair', as: 'json', values: [`row(1, 'x')`], lands: ['{"a": 1, "b": "x"}'] },
  {
    type: 'pair',
    as: 'string',
    values: [`row(1, 'x y')`],
    lands: ['(1,"x y")'],
    encodings: textOnly,
  },
  { type: 'percent', as: 'integer', values: ['42'] },
  {
    type: 'text',
    as: 'string',
    values: [`''`, `' '`, `'NULL'`, `'\\N'`, `'\\.'`, `E'a\\tb\\r\\n\\x01\\x7f'`, `'日本 😀'`],
    lands: ['', ' ', 'NULL', '\\N', '\\.', 'a\tb\r\n\u0001\u007f', '日本 😀'],
  },
  {
    type: 'numeric',
    as: 'decimal',
    values: [`'Infinity'`, `'-Infinity'`],
    lands: ['Infinity', '-Infinity'],
    since: 14,
  },
  { type: 'numeric(3,-2)', as: 'decimal', values: ['12345'], lands: ['12300'], since: 15 },
  { type: 'date[]', as: 'string', values: [`'{2026-02-03,NULL}'`], encodings: textOnly },
  {
    type: 'timestamptz[]',
    as: 'string',
    values: [`'{"2026-02-03 04:05:06+00"}'`],
    encodings: textOnly,
  },
  {
    type: 'daterange',
    as: 'string',
    values: [`'[2026-02-03,2026-03-02)'`],
    encodings: textOnly,
  },
  {
    type: 'int4multirange',
    as: 'string',
    values: [`'{[1,3),[5,7)}'`],
    encodings: textOnly,
    since: 14,
  },
];
