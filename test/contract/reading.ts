import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Batch, ReadRequest } from '../../connectors/connector.ts';
import { compareInstants } from '../../domain/instant.ts';
import { parseCopyTextRows } from '../../formats/copy-text.ts';
import { going, minute, Rig, row, tenant, type ConnectorUnderTest, type TextRow } from './rig.ts';

const idOf = (fields: readonly (string | null)[]) => fields[1];

/** The ids that batches hold, batch by batch. The wire order is last-modified, key, others. */
function idsOf(batches: readonly Batch[]): (string | null | undefined)[][] {
  return batches.map((batch) => parseCopyTextRows(Buffer.concat(batch.chunks)).map(idOf));
}

export function describeReading(system: () => ConnectorUnderTest): void {
  /** Reads these rows and compares the ids of each batch. */
  async function check(
    rows: readonly TextRow[],
    request: Partial<ReadRequest>,
    expected: string[][],
  ) {
    const rig = await Rig.create(system());
    await rig.seed(rows);
    const batches = await rig.read(request);
    expect(idsOf(batches)).toEqual(expected);
    for (const batch of batches) {
      expect(batch.bytes).toBe(batch.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      expect(batch.rows).toBe(idsOf([batch])[0]?.length);
      expect(batch.cursor.key).toEqual([idsOf([batch])[0]?.at(-1)]);
    }
  }

  describe('batches', () => {
    test('of an empty table: none', () => check([], {}, []));

    test('of one row: one, with the cursor of that row', async () => {
      const rig = await Rig.create(system());
      await rig.seed([row(7, 3)]);
      const [batch, ...more] = await rig.read();
      expect(more).toEqual([]);
      expect(batch?.cursor).toEqual({ lastModified: minute(3), key: ['7'] });
      expect(batch).toMatchObject({ rows: 1, deltaRows: 1 });
    });

    test('come in the order of last-modified value, then key', () => {
      return check([row(10, 2), row(9, 2), row(1, 3), row(11, 1)], {}, [['11', '9', '10', '1']]);
    });

    test('have no more rows than allowed, and never less than one', async () => {
      const rows = [row(1, 1), row(2, 2), row(3, 3)];
      await check(rows, { batchRowsMax: 2 }, [['1', '2'], ['3']]);
      await check(rows, { batchRowsMax: 1 }, [['1'], ['2'], ['3']]);
      await check(rows, { batchBytesMax: 1 }, [['1'], ['2'], ['3']]);
    });

    test('count rows above the old watermark as new', async () => {
      const rig = await Rig.create(system());
      await rig.seed([row(1, 1), row(2, 2), row(3, 3), row(4, 4)]);
      const counts = async (deltaAfter: string | undefined) =>
        (await rig.read({ deltaAfter, batchRowsMax: 2 })).map(({ deltaRows }) => deltaRows);
      expect(await counts(undefined)).toEqual([2, 2]);
      expect(await counts(minute(1))).toEqual([1, 2]);
      expect(await counts(minute(3))).toEqual([0, 1]);
      expect(await counts(minute(4))).toEqual([0, 0]);
    });

    test('tell microseconds apart, and know values beyond all instants', async () => {
      const at = (id: number, changed: string): TextRow => ({ ...row(id, 0), changed });
      const rows = [
        at(1, 'infinity'),
        at(2, '2026-01-01 00:00:00.000002+00'),
        at(3, '2026-01-01 00:00:00.000001+00'),
        at(4, '0001-01-01 00:00:00+00 BC'),
        at(5, '-infinity'),
      ];
      await check(rows, { batchRowsMax: 1 }, [['5'], ['4'], ['3'], ['2'], ['1']]);
    });
  });

  describe('where a read begins and ends', () => {
    const rows = [row(1, 1), row(2, 2), row(3, 2), row(4, 3)];
    const window = { after: minute(2), upTo: minute(3) };

    test('the lower bound is inside, the upper is not', async () => {
      await check(rows, { window }, [['2', '3']]);
      await check(rows, { window: { after: minute(2), upTo: undefined } }, [['2', '3', '4']]);
      await check(rows, { window: { after: undefined, upTo: minute(2) } }, [['1']]);
      await check(rows, { window: { after: minute(2), upTo: minute(2) } }, []);
    });

    test('the row of the cursor is not read again, rows that tie with it are', async () => {
      const resumeAfter = { lastModified: minute(2), key: ['2'] };
      await check(rows, { resumeAfter }, [['3', '4']]);
      await check(rows, { resumeAfter, window }, [['3']]);
      await check(rows, { resumeAfter: { lastModified: minute(3), key: ['4'] } }, []);
    });

    test('rows without a last-modified value are in no window', async () => {
      const unstamped = { ...row(5, 0), changed: null };
      await check([...rows, unstamped], {}, [['1', '2', '3', '4']]);
      await check([...rows, unstamped], { window: { after: '-infinity', upTo: undefined } }, [
        ['1', '2', '3', '4'],
      ]);
    });

    test('rows without a last-modified value are counted, of one tenant and up to a number', async () => {
      const rig = await Rig.create(system());
      await using source = await rig.openSource();
      const { relation, tenant, lastModified } = rig.request();
      const count = (max: number) =>
        source.countUnstamped({ relation, tenant, lastModified, max }, going);
      await rig.seed([row(1, 1)]);
      expect(await count(9)).toBe(0);
      const unstamped = [5, 6, 7].map((id) => ({ ...row(id, 0), changed: null }));
      await rig.seed([row(1, 1), ...unstamped, { ...row(8, 0), changed: null, tenant: 'other' }]);
      expect(await count(9)).toBe(3);
      expect(await count(2)).toBe(2);
    });

    test('ties over the border of batches and reads are neither lost nor read twice', async () => {
      const rig = await Rig.create(system());
      await rig.seed([5, 3, 1, 4, 2, 6].map((id) => row(id, id === 6 ? 2 : 1)));
      const whole = (await rig.read({ batchRowsMax: 1 })).map(({ cursor }) => cursor);
      expect(whole.map(({ key }) => key[0])).toEqual(['1', '2', '3', '4', '5', '6']);
      for (const [index, cursor] of whole.entries()) {
        const rest = await rig.read({ resumeAfter: cursor, batchRowsMax: 2 });
        expect(idsOf(rest).flat()).toEqual(whole.slice(index + 1).map(({ key }) => key[0]));
      }
    });

    test('a key of several columns with any characters can be resumed after', async () => {
      const rig = await Rig.create(system(), [
        { name: 'part', type: 'string', isKey: true },
        { name: 'number', type: 'integer', isKey: true },
      ]);
      const parts = [
        '',
        ' ',
        'a',
        'A',
        'a\tb',
        'a\nb',
        'a\\b',
        '\\N',
        "it's",
        '"',
        '$1',
        'é',
        '日本',
        '😀',
      ];
      const rows = parts.flatMap((part) =>
        ['10', '9'].map((number) => ({ tenant, changed: minute(1), part, number })),
      );
      await rig.seed(rows);
      const cursors = (await rig.read({ batchRowsMax: 1 })).map(({ cursor }) => cursor);
      const seen = new Set(cursors.map(({ key }) => key.join('|')));
      expect(seen).toEqual(new Set(rows.map(({ part, number }) => `${part}|${number}`)));
      for (const [index, resumeAfter] of cursors.entries()) {
        const [next] = await rig.read({ resumeAfter, batchRowsMax: 1 });
        expect(next?.cursor).toEqual(cursors[index + 1]);
      }
    });
  });

  describe('tenants', () => {
    test('no read ever returns a row of another tenant', async () => {
      const near = [
        'acme',
        'Acme',
        'acme ',
        ' acme',
        "acme' or '1'='1",
        'acme%',
        '%',
        '$1',
        '\\',
        'ácme',
        'ａcme',
        '1',
        '01',
      ];
      const tenantId = fc.oneof(
        fc.constantFrom(...near),
        fc.string({ unit: 'grapheme', minLength: 1 }),
      );
      const usable = tenantId.filter((text) => !text.includes('\0') && text.isWellFormed());
      const rig = await Rig.create(system());
      const property = fc.asyncProperty(
        fc.uniqueArray(usable, { minLength: 2, maxLength: 8 }),
        async (ids) => {
          const strangers: TextRow[] = [
            { ...row(0, 1), tenant: null },
            { ...row(0, 1), tenant: '' },
          ];
          const rows = ids.map((id, index): TextRow => ({ ...row(index + 1, 1), tenant: id }));
          await rig.seed([...rows, ...strangers]);
          for (const [index, id] of ids.entries()) {
            const batches = await rig.read({ tenant: { column: 'tenant', id } });
            expect(idsOf(batches).flat()).toEqual([String(index + 1)]);
          }
        },
      );
      await fc.assert(property, { numRuns: 8 });
    });

    test('a tenant without rows gets none', () =>
      check([row(1, 1)], { tenant: { column: 'tenant', id: 'globex' } }, []));
  });

  describe('the source', () => {
    test('describes its columns with the logical types that fit', async () => {
      const rig = await Rig.create(system());
      await rig.seed([]);
      await using source = await rig.openSource();
      const columns = await source.describe(rig.relation);
      const fits = Object.fromEntries(columns.map((column) => [column.name, column.fits]));
      expect(fits['id']).toEqual(expect.arrayContaining(['bigint', 'string']));
      expect(fits['changed']?.[0]).toBe('timestamp');
      expect(fits['note']?.[0]).toBe('string');
      expect(fits['id']).not.toContain('integer');
    });

    test('says that a table is missing', async () => {
      const rig = await Rig.create(system());
      await using source = await rig.openSource();
      const missing = { kind: 'source_mismatch', code: 'MISS' };
      await expect(source.describe(rig.relation)).rejects.toMatchObject(missing);
    });

    test('can always be read as text', async () => {
      const rig = await Rig.create(system());
      await rig.seed([]);
      await using source = await rig.openSource();
      expect(await source.encodings(rig.table)).toContain('copy_text');
    });

    test('has a fence that is not ahead of its clock', async () => {
      const rig = await Rig.create(system());
      await rig.seed([]);
      await using source = await rig.openSource();
      const fence = await source.fence(rig.table, undefined);
      expect(compareInstants(fence.at, fence.now)).toBeLessThanOrEqual(0);
    });
  });

  describe('leaving a read', () => {
    const rows = Array.from({ length: 50 }, (_, index) => row(index + 1, 1, 'x'.repeat(2000)));

    test('by its signal fails it as cancelled', async () => {
      const rig = await Rig.create(system());
      await rig.seed(rows);
      await using source = await rig.openSource();
      const stop = new AbortController();
      const reading = (async () => {
        for await (const batch of source.read(rig.request({ batchRowsMax: 1 }), stop.signal)) {
          expect(batch.rows).toBe(1);
          stop.abort();
        }
      })();
      await expect(reading).rejects.toMatchObject({ kind: 'cancelled' });
    });

    test('by leaving the loop needs nothing else', async () => {
      const rig = await Rig.create(system());
      await rig.seed(rows);
      await using source = await rig.openSource();
      for await (const batch of source.read(
        rig.request({ batchRowsMax: 1 }),
        new AbortController().signal,
      )) {
        expect(batch.rows).toBe(1);
        break;
      }
    });
  });
}
