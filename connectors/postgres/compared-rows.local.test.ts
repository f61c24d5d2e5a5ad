import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { directReach, Ends, going, modelOf, settingsOf } from '../../test/harness/postgres-ends.ts';
import { bucketsOf } from './compared-rows.ts';
import { openDestination } from './destination.ts';

const table = modelOf([
  ['at', 'timestamp', 'last_modified'],
  ['id', 'integer', 'key'],
  ['note', 'string'],
]);
const rows = 50_000;
const whole = { after: undefined, upTo: undefined };
const tenant = { column: 'tenant', id: 'acme' };

let ends: Ends;
beforeAll(async () => {
  ends = await Ends.create();
  await ends.source.query(
    `create table things (tenant text, id int primary key, note text, at timestamptz)`,
  );
  await ends.source.query(
    `insert into things select 'acme', n, repeat('x', 300) || n, timestamptz '2026-01-01' + n * interval '1 s'
      from generate_series(1, ${rows}) n`,
  );
  await ends.source.query(
    `insert into things values ('globex', 0, 'other', '2026-01-01'), ('acme', -1, 'never', null)`,
  );
  await using destination = ends.openDestination();
  await destination.apply({
    modelId: 'things',
    table: { name: 'things', description: undefined, columns: [], key: [] },
    steps: [{ kind: 'create_schema' }],
  });
  await ends.land(table);
});
afterAll(() => ends[Symbol.asyncDispose]());

test('all of one end is told in less than a thousandth of its bytes, and equal to the other end', async () => {
  await using source = ends.openSource();
  let socket: Socket | undefined;
  const reach = {
    socket: async (target: Parameters<typeof directReach.socket>[0]) =>
      (socket = await directReach.socket(target)),
  };
  const settings = { ...settingsOf(ends.to), schema: 'landed' };
  await using destination = openDestination(settings, reach);
  const there = await destination.compare?.(table);
  const here = await source.compare?.(table, tenant);
  const digest = await there?.digest([whole], going);
  expect(digest).toEqual(await here?.digest([whole], going));
  expect(digest).toMatchObject([{ rows, least: '2026-01-01 00:00:01+00' }]);
  const moved = (socket?.bytesRead ?? 0) + (socket?.bytesWritten ?? 0);
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThan((rows * 300) / 1000);
});

test('windows are told one by one, gaps between them left out, and a share is the same at both ends', async () => {
  await using source = ends.openSource();
  await using destination = ends.openDestination();
  const both = [await source.compare?.(table, tenant), await destination.compare?.(table)];
  const windows = [
    { after: undefined, upTo: '2026-01-01 00:00:11+00' },
    { after: '2026-01-01 00:00:20+00', upTo: '2026-01-01 00:00:21+00' },
    { after: '2026-01-01 13:53:20+00', upTo: undefined },
  ];
  for (const end of both) {
    expect((await end?.digest(windows, going))?.map((one) => one.rows)).toEqual([10, 1, 1]);
    const marks = await end?.list({ windows, share: 1 }, going);
    expect(marks).toHaveLength(12);
    const [found, ...more] = (await end?.find([['20'], ['-7']], going)) ?? [];
    expect(more).toEqual([]);
    expect(marks).toContainEqual({ key: ['20'], hash: found?.hash });
    expect(found?.lastModified).toBe('2026-01-01 00:00:20+00');
  }
  const [here, there] = await Promise.all(
    both.map(async (end) => end?.list({ windows: [whole], share: 100 }, going)),
  );
  const sorted = (marks: typeof here) => marks?.map(({ key }) => Number(key[0])).toSorted();
  expect(sorted(here)).toEqual(sorted(there));
  expect(here?.length).toBeGreaterThan(rows / 200);
  expect(here?.length).toBeLessThan(rows / 50);
});

test('rows are removed only as they were found, and not once another load has begun', async () => {
  await using destination = ends.openDestination();
  const there = await destination.compare?.(table);
  const record = await destination.recall('things');
  const found = (await there?.find([['1'], ['2']], going)) ?? [];
  await ends.destination.query(`update landed.things set note = 'changed since' where id = 2`);
  const epoch = record?.epoch ?? { startedAtMicros: 0, step: 0, attempt: 0 };
  const removal = { modelId: 'things', owner: 'prod/destination', epoch, table, rows: found };
  const stale = { ...removal, epoch: { ...epoch, step: epoch.step - 1 } };
  await expect(destination.remove?.(stale, going)).rejects.toMatchObject({
    kind: 'destination_busy',
  });
  const other = { ...removal, owner: 'prod/another' };
  await expect(destination.remove?.(other, going)).rejects.toMatchObject({
    kind: 'destination_busy',
  });
  expect(await destination.remove?.(removal, going)).toBe(1);
  const left = await ends.destination.query(`select id from landed.things where id in (1, 2)`);
  expect(left.rows).toEqual([{ id: 2 }]);
});

test('each window is one bucket between the bounds of all', () => {
  const [a, b, c] = ['2026-01-01', '2026-01-02', '2026-01-03'];
  const windows = [
    { after: undefined, upTo: a },
    { after: a, upTo: b },
    { after: c, upTo: undefined },
  ];
  expect(bucketsOf(windows)).toEqual({ bounds: [a, b, c], buckets: [0, 1, 3] });
  expect(bucketsOf([whole])).toEqual({ bounds: [], buckets: [0] });
});
