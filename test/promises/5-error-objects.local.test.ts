// Promise 5: no row value leaves a connector in an error, nor reaches Temporal in a failure.
import { inspect } from 'node:util';
import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asApplicationFailure } from '../../activities/activity-failure.ts';
import type { Database } from '../../db/database.ts';
import { Failure, toErrorObject, toFailure } from '../../domain/failure.ts';
import { Ends, going, modelOf } from '../harness/postgres-ends.ts';

/** Fits nowhere but in a text, and is found wherever it is printed. */
const canary = 'CANARY_4711';

const table = modelOf([
  ['at', 'timestamp', 'last_modified'],
  ['id', 'string', 'key'],
  ['note', 'string'],
]);

/** Everything that can be read off an error, by us, by a log and by Temporal. */
async function exposed(error: unknown): Promise<string> {
  const lines: unknown[] = [];
  const write = (fields: object, message: string) => void lines.push({ ...fields, message });
  const log = { info: write, warn: write, error: write };
  const deps = { db: {} as Database, log } as unknown as Parameters<typeof asApplicationFailure>[0];
  const application = await asApplicationFailure(deps, { error, input: {}, step: 'copySlice' });
  const inHistory = defaultFailureConverter.errorToFailure(application, defaultPayloadConverter);
  const payloads = application.details?.map(String) ?? [];
  const object = toErrorObject(toFailure(error));
  const all = { error, lines, application, inHistory, payloads, object };
  return `${inspect(all, { depth: null, showHidden: true, maxStringLength: null })} ${String(error)}
    ${JSON.stringify([error, lines, application, inHistory, object])} ${(error as Error).stack}`;
}

async function checkNothingShows(work: Promise<unknown>): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(Failure);
  const { kind } = toFailure(error);
  expect(['bug', 'unclassified']).not.toContain(kind);
  expect(await exposed(error)).not.toContain(canary);
}

describe.each([12, 18] as const)('of Postgres %i', (major) => {
  let ends: Ends;
  let started = 1;

  beforeAll(async () => {
    ends = await Ends.create({ major });
  });
  afterAll(() => ends[Symbol.asyncDispose]());

  beforeEach(async () => {
    await ends.source.query(/*sql*/ `drop table if exists things cascade;
      create table things (tenant text, at timestamptz default now(), id text, note text)`);
    await ends.destination.query(
      'drop schema if exists landed cascade; drop table if exists public.known cascade',
    );
    await write('first', 'harmless');
    await land();
  });

  async function write(id: string | null, note: string): Promise<void> {
    await ends.source.query(`insert into things (tenant, id, note) values ('acme', $1, $2)`, [
      id,
      note,
    ]);
  }

  function land(mode: 'merge' | 'replace' = 'replace', model = table) {
    started += 1;
    const epoch = { startedAtMicros: started, step: 1, attempt: 1 };
    return ends.land(model, {
      mode,
      epoch,
      transferId: String(started),
      wireColumns: names(model),
    });
  }

  describe('at a destination', () => {
    const trigger = (body: string) => `
      create function landed.judge() returns trigger language plpgsql as $f$
        declare n int; begin ${body}; return new; end $f$;
      create trigger judge before insert or update on landed.things
        for each row when (new.note <> 'harmless') execute function landed.judge()`;

    test.each([
      ['a unique index', 'create unique index on landed.things (lower(note))'],
      ['a check', `alter table landed.things add constraint short check (length(note) < 10)`],
      [
        'an exclusion',
        `create extension if not exists btree_gist;
         alter table landed.things add exclude using gist (note with =)`,
      ],
      [
        'a foreign key',
        `create table public.known (note text primary key); insert into public.known values ('harmless');
         alter table landed.things add foreign key (note) references public.known`,
      ],
      ['a policy', trigger(`raise exception 'no %', new.note using errcode = '42501'`)],
      [
        'a sentence',
        trigger(`raise exception 'no %', new.note using detail = new.note, hint = new.note`),
      ],
      [
        'names of a trigger of its own',
        trigger(`raise exception 'no' using constraint = new.note, column = new.note,
          table = new.note, datatype = new.note, schema = new.note`),
      ],
      [
        'a check that a trigger pretends',
        trigger(`raise check_violation using message = new.note, constraint = new.note`),
      ],
      ['a conversion', trigger('n := new.note::int')],
      ['a statement made of a value', trigger(`execute 'select ' || new.note || ' from nowhere'`)],
      ['a date', trigger('perform new.note::timestamptz')],
      [
        'a column that is computed',
        'alter table landed.things add n int generated always as (case note when $$harmless$$ then 1 else note::int end) stored',
      ],
    ])('%s that refuses a row says no value', async (_, statement) => {
      await ends.destination.query(statement);
      await write(`${canary}-1`, canary);
      await write(`${canary}-2`, canary);
      await checkNothingShows(land('merge'));
      await ends.destination.query('drop schema landed cascade');
    });

    test.each([
      ['add constraint short check (length(note) < 10)', 'constraint short'],
      ['add constraint single unique (note)', 'constraint single'],
    ])('a constraint is still named where the server itself checks it: %s', async (added, name) => {
      await ends.destination.query(`alter table landed.things ${added}`);
      await write('second', 'harmless and long');
      await write('third', 'harmless and long');
      await expect(land('merge')).rejects.toMatchObject({ message: expect.stringContaining(name) });
    });

    test('a key that is not unique says no value', async () => {
      await write(canary, 'one');
      await write(canary, 'two');
      await checkNothingShows(land('merge'));
      await checkNothingShows(land('replace'));
    });

    test('a key that an index cannot take says no value', async () => {
      const long = Array.from({ length: 2000 }, (_, n) => `${canary}${n * 7919}`).join();
      await write(long, 'long');
      await checkNothingShows(land('merge'));
      await checkNothingShows(land('replace'));
    });

    test('a value of another type says no value', async () => {
      for (const body of [`{"${canary}": "\\u0000"}`, `{"a": "${canary}\\ud800"}`]) {
        await ends.source.query('drop table if exists things cascade');
        await ends.source.query(
          `create table things (tenant text, at timestamptz default now(), id text, note json)`,
        );
        await write(canary, body);
        const typed = modelOf([
          ['at', 'timestamp', 'last_modified'],
          ['id', 'string', 'key'],
          ['note', 'json'],
        ]);
        await ends.destination.query('drop schema landed cascade');
        await checkNothingShows(land('replace', typed));
      }
    });
  });

  describe('at a source', () => {
    test.each([
      ['a number', 'note::int::text'],
      ['a date', 'note::date::text'],
      ['a document', `(note::json)::text`],
      ['an enum', 'note::pg_catalog.regclass::text'],
      ['an array', '(note::int[])::text'],
      ['a function of its own', 'public.refuse(note)'],
    ])('a view that cannot make %s of a value says no value', async (_, expression) => {
      await ends.source.query(/*sql*/ `create or replace function public.refuse(t text) returns text
        language plpgsql as $$begin raise exception 'no %', t using constraint = t, table = t; end$$`);
      await ends.source.query(
        `create view cooked as select tenant, at, id, ${expression} as note from things`,
      );
      await write(canary, canary);
      const model = { ...table, relation: { schema: undefined, table: 'cooked' } };
      await checkNothingShows(land('replace', model));
    });

    test('a key that is null says no value', async () => {
      await write(null, canary);
      await checkNothingShows(land('replace'));
    });

    test('a tenant id that is refused is not repeated', async () => {
      await ends.source.query('alter table things alter tenant type int using 1');
      await using source = ends.openSource();
      const tenant = { column: 'tenant', id: canary };
      await checkNothingShows(Array.fromAsync(source.read(ends.request(table, { tenant }), going)));
    });
  });

  test('a login that is refused does not repeat its password', async () => {
    const login = { password_auth: { username: ends.from.user, password: canary } };
    await using source = ends.openSource(login);
    await checkNothingShows(source.describe(table.relation));
    await using destination = ends.openDestination(login);
    await checkNothingShows(destination.describe('things'));
    expect(inspect([await source.check(), await destination.check()])).not.toContain(canary);
  });
});

function names(model: typeof table): string[] {
  return model.columns.map(({ nameInDestination }) => nameInDestination);
}
