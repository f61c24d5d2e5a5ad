import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { Failure, failurePolicies, type FailureKind } from '../domain/failure.ts';
import { createSealer } from '../lib/seal.ts';
import { asApplicationFailure } from './activity-failure.ts';

/** Our database is asked only where a model's step failed in a way that may pass. */
const noDatabase = {} as Database;

function translate(error: unknown) {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) });
  const translated = asApplicationFailure(
    { db: noDatabase, log, sealer: createSealer([{ id: 'test', key: Buffer.alloc(32) }]) },
    { error, input: {}, step: 'step' },
  );
  return translated.then((failure) => ({ failure, log: lines.join('') }));
}

describe('a failure on its way to Temporal', () => {
  test.each(Object.keys(failurePolicies) as FailureKind[])(
    'of kind %s keeps its kind, and is tried again only where that can help',
    async (kind) => {
      const { failure } = await translate(new Failure(kind, 'A sentence.', { detail: '42804' }));
      expect(failure.type).toBe(kind);
      expect(failure.message).toBe('A sentence.');
      expect(failure.nonRetryable).toBe(failurePolicies[kind].retry !== 'soon');
      expect(failure.details).toEqual([failurePolicies[kind].code, '42804', 'step']);
    },
  );

  test('leaves its cause behind, which may quote rows', async () => {
    const cause = new Error('Key (email)=(ada@example.com) already exists.');
    const { failure, log } = await translate(new Failure('value_refused', 'Refused.', { cause }));
    expect(failure.cause).toBeUndefined();
    expect(JSON.stringify([failure, failure.stack])).not.toContain('ada@');
    expect(log).not.toContain('ada@');
  });

  test('an error without a name is a bug, and only its frames are logged', async () => {
    const { failure, log } = await translate(new TypeError('row ada@example.com\nsecond line'));
    expect(failure).toMatchObject({ type: 'bug', nonRetryable: true });
    expect(failure.message).not.toContain('ada@');
    expect(log).toContain('activity-failure.test.ts');
    expect(log).not.toContain('ada@');
    expect(log).not.toContain('second line');
  });

  test('our own database being away passes, and is waited for', async () => {
    const { failure } = await translate(new Error('connect ECONNREFUSED 127.0.0.1:5432'));
    expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
    expect(failure.message).not.toContain('127.0.0.1');
  });

  test('waits as long as the other end asks', async () => {
    const { failure } = await translate(
      new Failure('destination_busy', 'Busy.', { retryAfterMs: 1500 }),
    );
    expect(failure.nextRetryDelay).toBe(1500);
  });

  test('is cut where it is too long for a history', async () => {
    const { failure } = await translate(new Failure('bug', 'x'.repeat(10_000)));
    expect(failure.message).toHaveLength(1000);
  });
});
