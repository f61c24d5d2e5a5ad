import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, TestApi } from '../test/harness/api.ts';
import { at, createTestApi, textAt } from '../test/harness/api.ts';
import { makeModel, makeVendor, unique } from '../test/harness/metadata.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

beforeEach(() => {
  api.workflows.isAway = false;
  api.workflows.calls.length = 0;
});

type Vendor = Awaited<ReturnType<typeof makeVendor>>;

function vendor(): Promise<Vendor> {
  return makeVendor(api.metadata.db);
}

function submit(
  { destination }: Vendor,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  return api.call('POST', `/destinations/${destination.id}/transfer`, { body, headers });
}

async function submitted(of: Vendor, body: object = {}): Promise<string> {
  const answer = await submit(of, body);
  expect(answer.status, answer.text).toBe(200);
  return textAt(answer, 'data.transfer_id');
}

/** As a worker would leave it. */
async function set(id: string, assignment: string): Promise<void> {
  await api.metadata.db.$client.query(/*sql*/ `update transfers set ${assignment} where id = $1`, [
    id,
  ]);
}

async function read(id: string): Promise<Answer> {
  return api.call('GET', `/transfers/${id}`);
}

describe('200', () => {
  test('a transfer is stored, its queue is rung, and it reads back as it was asked', async () => {
    const of = await vendor();
    const id = await submitted(of, {
      full_refresh: true,
      is_debug_mode: true,
      models: [of.model.name],
      start_transfer_window_at: '2026-01-02T03:04:05.123456+01:00',
      end_transfer_window_at: '2026-02-01T00:00:00Z',
      tags: { team: 'data', run: '1' },
      unknown: true,
    });
    expect(api.workflows.calls).toEqual([{ verb: 'ring', ids: [of.destination.id, id] }]);
    const answer = await read(id);
    expect(answer.body).toMatchObject({
      data: {
        transfer: {
          id,
          destination_id: of.destination.id,
          status: 'PENDING',
          is_full_refresh: true,
          is_debug_mode: true,
          is_paused: false,
          models: [of.model.name],
          models_snapshot: [
            { model_id: of.model.id, model_name: of.model.name, revision_id: of.model.revisionId },
          ],
          source_ids: [of.source.id],
          source_id: of.source.id,
          log: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Submitted/),
          started_at: null,
          ended_at: null,
          start_transfer_window_at: '2026-01-02T02:04:05.123456Z',
          end_transfer_window_at: '2026-02-01T00:00:00.000Z',
          rows_transferred: 0,
          actor_type: 'api_key',
          tags: { team: 'data', run: '1' },
          model_metrics: [
            { model_name: of.model.name, status: 'PENDING', rows_transferred: 0, error: null },
          ],
          error: null,
        },
      },
    });
  });

  test.each([
    ['no body', undefined],
    ['an empty body', ''],
    ['nulls', '{"models":null,"tags":null,"full_refresh":null}'],
  ])('with %s everything is as usual', async (_, raw) => {
    const { destination, model } = await vendor();
    const answer = await api.call(
      'POST',
      `/destinations/${destination.id}/transfer`,
      raw === undefined ? {} : { raw },
    );
    expect(answer.status, answer.text).toBe(200);
    const transfer = await read(textAt(answer, 'data.transfer_id'));
    expect(transfer.body).toMatchObject({
      data: { transfer: { is_full_refresh: false, models: [model.name] } },
    });
  });

  test('counts add up over the models, in megabytes of a million bytes', async () => {
    const of = await vendor();
    const id = await submitted(of);
    await api.metadata.db.$client.query(
      /*sql*/ `update transfer_models set status = 'ERROR', rows = 7, delta_rows = 5, bytes = 1500000,
        window_after = '2026-01-01 00:00:00+00', most_recent_at = 'infinity', error = $2
        where transfer_id = $1`,
      [
        id,
        {
          error_code: 'WBL-TYPE',
          title: 'A value',
          blame: 'first_party',
          message: 'Too wide.',
          trace: 'value_refused',
        },
      ],
    );
    expect((await read(id)).body).toMatchObject({
      data: {
        transfer: {
          rows_transferred: 7,
          delta_rows_transferred: 5,
          volume_transferred_in_mb: 1.5,
          model_metrics: [
            {
              status: 'ERROR',
              start_transfer_window_at: '2026-01-01T00:00:00.000Z',
              end_transfer_window_at: null,
              most_recent_last_updated_at: null,
              error: {
                error_code: 'WBL-TYPE',
                error: 'A value',
                documentation_url: 'https://waybill.test/docs/errors#WBL-TYPE',
              },
            },
          ],
        },
      },
    });
  });

  test('where the queue cannot be rung, the row stays and the answer is a success', async () => {
    const of = await vendor();
    api.workflows.isAway = true;
    const id = await submitted(of);
    expect((await read(id)).body).toMatchObject({ data: { transfer: { status: 'PENDING' } } });
    expect(api.logged.join()).toContain('reconcile will do it');
  });

  test('a waiting transfer of the same kind makes another one a duplicate', async () => {
    const of = await vendor();
    await submitted(of);
    api.workflows.calls.length = 0;
    const again = await submit(of);
    expect(textAt(again, 'message')).toContain('duplicate');
    expect(api.workflows.calls).toEqual([]);
    expect((await read(textAt(again, 'data.transfer_id'))).body).toMatchObject({
      data: { transfer: { status: 'CANCELLED' } },
    });
  });

  test('an idempotency key gives the same transfer for the same body', async () => {
    const of = await vendor();
    const headers = { 'Idempotency-Key': unique('key') };
    const first = await submit(of, { full_refresh: true }, headers);
    const second = await submit(of, { full_refresh: true, unknown: 1 }, headers);
    expect(textAt(second, 'data.transfer_id')).toBe(textAt(first, 'data.transfer_id'));
    expect(api.workflows.calls).toHaveLength(2);
  });

  test('a waiting transfer is cancelled at once, a running one is told', async () => {
    const of = await vendor();
    const waiting = await submitted(of);
    const cancelled = await api.call('POST', `/transfers/${waiting}/cancel`);
    expect(cancelled.body).toMatchObject({
      data: { transfer: { status: 'CANCELLED', ended_at: expect.any(String) } },
    });
    expect(api.workflows.calls.filter(({ verb }) => verb === 'cancel')).toEqual([]);
    const running = await submitted(of);
    await set(running, `status = 'RUNNING', started_at = now()`);
    for (const _ of ['first', 'again']) {
      const asked = await api.call('POST', `/export/transfers/${running}/cancel`);
      expect(asked.body).toMatchObject({ data: { transfer: { status: 'RUNNING' } } });
    }
    expect(api.workflows.calls).toContainEqual({ verb: 'cancel', ids: [running] });
  });

  test('a running transfer is paused and resumed', async () => {
    const id = await submitted(await vendor());
    await set(id, `status = 'RUNNING', started_at = now()`);
    const paused = await api.call('POST', `/transfers/${id}/pause`);
    expect(paused.body).toMatchObject({
      data: { transfer: { status: 'RUNNING', is_paused: true } },
    });
    const resumed = await api.call('POST', `/transfers/${id}/resume`);
    expect(resumed.body).toMatchObject({
      data: { transfer: { status: 'RUNNING', is_paused: false } },
    });
    expect(api.workflows.calls.slice(-2)).toEqual([
      { verb: 'pause', ids: [id] },
      { verb: 'resume', ids: [id] },
    ]);
  });

  test('lists are filtered by destination, status, tags and end', async () => {
    const of = await vendor();
    const old = await submitted(of, { tags: { team: 'data', run: '1' } });
    await set(old, `status = 'SUCCESS', ended_at = '2026-01-02T00:00:00Z'`);
    const open = await submitted(of, { tags: { team: 'data', run: '2' } });
    const ofDestination = `destination_id=${of.destination.id}`;
    const ids = async (path: string) => {
      const answer = await api.call('GET', path);
      expect(answer.status, answer.text).toBe(200);
      return (at(answer, 'data.transfers') as { id: string }[]).map(({ id }) => id);
    };
    expect(await ids(`/transfers?${ofDestination}`)).toEqual([open, old]);
    expect(await ids(`/transfers?${ofDestination}&order=asc`)).toEqual([old, open]);
    expect(await ids(`/transfers?${ofDestination}&status=success,RUNNING`)).toEqual([old]);
    expect(await ids(`/transfers?${ofDestination}&include_tags=team.data`)).toEqual([open, old]);
    expect(await ids(`/transfers?${ofDestination}&include_tags=team.data,run.2`)).toEqual([open]);
    expect(await ids(`/transfers?${ofDestination}&ended_before=2026-01-02T00:00:00Z`)).toEqual([]);
    expect(await ids(`/transfers?${ofDestination}&ended_after=2026-01-02T01:00:00+01:00`)).toEqual([
      old,
    ]);
    expect(await ids('/transfers?destination_id=x')).toEqual([]);
    const own = `/export/destinations/${of.destination.id}/transfers`;
    expect(await ids(`${own}?count=1`)).toEqual([open]);
    expect(await ids(`${own}?count=1&page_size=5&status=`)).toEqual([open, old]);
  });

  test('pages of transfers follow each other', async () => {
    const of = await vendor();
    const made = [
      await submitted(of, { tags: { n: '1' } }),
      await submitted(of, { tags: { n: '2' } }),
    ];
    const first = await api.call('GET', `/destinations/${of.destination.id}/transfers?page_size=1`);
    const second = await api.call(
      'GET',
      textAt(first, 'next_url').replace('https://waybill.test', ''),
    );
    expect([at(second, 'data.transfers.0.id'), at(first, 'data.transfers.0.id')]).toEqual(made);
    expect(at(second, 'has_next')).toBe(false);
    expect(at(second, 'next_url')).toBeUndefined();
  });
});

describe('400', () => {
  test.each<[string, object, string]>([
    ['a flag as text', { full_refresh: 'yes' }, 'full_refresh'],
    ['models that are no list', { models: 'all' }, 'models'],
    ['an unknown model', { models: ['nope'] }, 'models[0]'],
    ['a time that is none', { start_transfer_window_at: 'yesterday' }, 'start_transfer_window_at'],
    ['a day without a time', { end_transfer_window_at: '2026-01-02' }, 'end_transfer_window_at'],
    [
      'a day that is none',
      { end_transfer_window_at: '2026-02-30T00:00:00Z' },
      'end_transfer_window_at',
    ],
    [
      'a time without its zone',
      { end_transfer_window_at: '2026-01-02T00:00:00' },
      'end_transfer_window_at',
    ],
    [
      'more than microseconds',
      { end_transfer_window_at: '2026-01-02T00:00:00.1234567Z' },
      'end_transfer_window_at',
    ],
    [
      'a time before the first year',
      { start_transfer_window_at: '0001-01-01T00:00:00+05:00' },
      'start_transfer_window_at',
    ],
    ['seconds since 1970', { start_transfer_window_at: 1_700_000_000 }, 'start_transfer_window_at'],
    [
      'an end before its start',
      {
        start_transfer_window_at: '2026-01-02T00:00:00Z',
        end_transfer_window_at: '2026-01-02T00:00:00Z',
      },
      'start_transfer_window_at',
    ],
    ['tags that are no object', { tags: ['a'] }, 'tags'],
    ['a tag that is no text', { tags: { a: 1 } }, 'tags.a'],
    ['a tag with a dot', { tags: { a: 'b.c' } }, 'tags.a'],
    ['a tag whose key has a space', { tags: { 'a b': 'c' } }, 'tags.a b'],
  ])('%s', async (_, body, path) => {
    const answer = await submit(await vendor(), body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ path }] });
  });

  test('a bad tag key is told what a good one is made of', async () => {
    const answer = await submit(await vendor(), { tags: { 'a b': 'c' } });
    expect(at(answer, 'message')).toContain('key of tags.a b must be made of letters');
  });

  test('a model that the destination does not have', async () => {
    const of = await vendor();
    const other = await makeModel(api.metadata.db, of.source);
    expect((await submit(of, { models: [other.name] })).status).toBe(400);
  });

  test.each([
    'status=DONE',
    'include_tags=team',
    'include_tags=a.b.c',
    'ended_before=x',
    'ended_after=1',
    'page_size=x',
  ])('a list with %s', async (query) => {
    expect((await api.call('GET', `/transfers?${query}`)).status).toBe(400);
  });

  test('a body that is a list', async () => {
    const { destination } = await vendor();
    const answer = await api.call('POST', `/destinations/${destination.id}/transfer`, {
      raw: '[]',
    });
    expect(answer.status).toBe(400);
  });
});

describe('404', () => {
  test.each<[string, string]>([
    ['GET', ''],
    ['POST', '/cancel'],
    ['POST', '/pause'],
    ['POST', '/resume'],
  ])('%s %s of a transfer of the other environment', async (method, rest) => {
    const id = await submitted(await vendor());
    expect(
      (await api.call(method, `/transfers/${id}${rest}`, { key: api.keys.staging })).status,
    ).toBe(404);
    expect((await api.call(method, `/transfers/not-an-id${rest}`)).status).toBe(404);
  });
});

describe('409', () => {
  test('an idempotency key with another body, or for another destination', async () => {
    const of = await vendor();
    const headers = { 'Idempotency-Key': unique('key') };
    await submit(of, {}, headers);
    expect((await submit(of, { full_refresh: true }, headers)).status).toBe(409);
    expect((await submit(await vendor(), {}, headers)).status).toBe(409);
  });

  test('a disabled destination', async () => {
    const of = await vendor();
    await api.call('PATCH', `/destinations/${of.destination.id}`, {
      body: { destination: { is_enabled: false } },
    });
    expect((await submit(of)).status).toBe(409);
  });

  test('cancelling what has ended, pausing what does not run', async () => {
    const id = await submitted(await vendor());
    expect((await api.call('POST', `/transfers/${id}/pause`)).status).toBe(409);
    await api.call('POST', `/transfers/${id}/cancel`);
    for (const verb of ['cancel', 'pause', 'resume']) {
      expect((await api.call('POST', `/transfers/${id}/${verb}`)).status).toBe(409);
    }
  });
});

describe('503', () => {
  test('a running transfer cannot be told while the engine is away, and can be later', async () => {
    const id = await submitted(await vendor());
    await set(id, `status = 'RUNNING', started_at = now()`);
    api.workflows.isAway = true;
    expect((await api.call('POST', `/transfers/${id}/cancel`)).status).toBe(503);
    api.workflows.isAway = false;
    expect((await api.call('POST', `/transfers/${id}/cancel`)).status).toBe(200);
  });
});
