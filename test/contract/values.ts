import { describe, expect, test } from 'vitest';
import type { LogicalType } from '../../domain/data-type.ts';
import { encodings, loadModes, type Encoding } from '../../domain/load.ts';
import { must } from '../../lib/must.ts';
import { minute, Rig, tenant, type ConnectorUnderTest } from './rig.ts';

/** The values that copies get wrong, as canonical text. */
const extremes: Readonly<Record<LogicalType, readonly string[]>> = {
  string: [
    '',
    ' ',
    'NULL',
    '\\N',
    '\\.',
    'a\tb',
    'a\nb',
    'a\r\nb',
    '\b\f\v\u0001\u007f',
    '\\',
    "it's",
    '"',
    '日本',
    '😀',
    'x'.repeat(100_000),
  ],
  boolean: ['t', 'f'],
  integer: ['0', '-2147483648', '2147483647'],
  bigint: ['0', '-9223372036854775808', '9223372036854775807', '9007199254740993'],
  decimal: [
    '0',
    '0.00',
    '1.10',
    '-99999999999999999999999999999999999999',
    '0.00000000000000000000000000000000000001',
    '1'.repeat(60),
    'NaN',
  ],
  float: [
    '0',
    '-0',
    '0.1',
    '1e-323',
    '2.2250738585072014e-308',
    '1.7976931348623157e+308',
    'NaN',
    'Infinity',
    '-Infinity',
  ],
  timestamp: [
    '2026-01-02 03:04:05+00',
    '2026-01-02 03:04:05.000006+00',
    '1969-12-31 23:59:59.999999+00',
    '0001-01-01 00:00:00+00',
    '4714-11-24 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
    'infinity',
    '-infinity',
  ],
  date: [
    '2026-02-13',
    '2026-12-02',
    '0001-01-01',
    '4714-11-24 BC',
    '5874897-12-31',
    'infinity',
    '-infinity',
  ],
  time: ['00:00:00', '23:59:59.999999', '24:00:00'],
  bytes: ['\\x', '\\x00', '\\x0a090d5c', '\\xff00fe'],
  json: [
    'null',
    '"text"',
    '1.10',
    '[]',
    '{"a": null, "b": [1, 2.50, "x\\ty"]}',
    '{"deep": {"é": "😀"}}',
  ],
  array: ['[]', '[1, 2, null]', '["a", "b,c", "\\"q\\""]'],
};

const types = Object.keys(extremes) as LogicalType[];

export function describeValues(system: () => ConnectorUnderTest): void {
  /** Takes the values there and compares the text that comes back, to the character. */
  async function check(
    rig: Rig,
    rows: Readonly<Record<string, string | null>>[],
    landing: { encoding: Encoding; mode: 'merge' | 'replace' },
  ) {
    await rig.seed(
      rows.map((values, index) => ({ tenant, changed: minute(0), id: String(index), ...values })),
    );
    await rig.land(landing);
    const expected = rows.map((values, index) => ({
      id: String(index),
      changed_at: minute(0),
      ...values,
    }));
    expect(await rig.live()).toEqual(expected);
  }

  async function commonEncodings(rig: Rig): Promise<Encoding[]> {
    await rig.seed([]);
    await using source = await rig.openSource();
    await using destination = await rig.openDestination();
    const offered = await source.encodings(rig.table);
    expect(encodings).toContain(destination.accepts(rig.landed, offered));
    return offered.filter((encoding) => destination.accepts(rig.landed, [encoding]) === encoding);
  }

  const key = { name: 'id', type: 'integer', isKey: true } as const;

  describe('values', () => {
    test.each(types)('of type %s arrive as they are, in every encoding and mode', async (type) => {
      for (const mode of loadModes) {
        const columns = [key, { name: 'value', type }];
        for (const encoding of await commonEncodings(await Rig.create(system(), columns))) {
          const rig = await Rig.create(system(), columns);
          const rows = [...extremes[type], null].map((value) => ({ value }));
          await check(rig, rows, { encoding, mode });
        }
      }
    });

    test('a row may be null in every column but its key and its stamp', async () => {
      const columns = types.map((type) => ({ name: `a_${type}`, type }));
      const nulls = Object.fromEntries(columns.map(({ name }) => [name, null]));
      const firsts = Object.fromEntries(
        columns.map(({ name, type }) => [name, must(extremes[type][0], type)]),
      );
      for (const encoding of await commonEncodings(await Rig.create(system(), [key, ...columns]))) {
        const rig = await Rig.create(system(), [key, ...columns]);
        await check(rig, [nulls, firsts, nulls], { encoding, mode: 'merge' });
      }
    });

    test('keys of every type that can be one are kept apart', async () => {
      const keyTypes = [
        'string',
        'integer',
        'bigint',
        'decimal',
        'timestamp',
        'date',
        'boolean',
        'bytes',
      ] as const;
      for (const type of keyTypes) {
        const rig = await Rig.create(system(), [
          { name: 'key', type, isKey: true },
          { name: 'id', type: 'integer' },
        ]);
        // Equal numbers, however written, are one key; and an index does not take very long texts.
        const values = extremes[type].filter((value) => value.length < 1000 && value !== '0.00');
        const rows = values.map((value, index) => ({
          key: value,
          id: String(index),
          tenant,
          changed: minute(1),
        }));
        await rig.seed(rows);
        for (const mode of ['replace', 'merge'] as const)
          await rig.land({ mode }, { batchRowsMax: 1 });
        expect((await rig.live())?.map((landed) => landed['key'])).toEqual(values);
      }
    });
  });
}
