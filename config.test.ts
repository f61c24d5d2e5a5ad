import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { loadConfig } from './config.ts';
import { Failure } from './domain/failure.ts';

const key = randomBytes(32).toString('base64url');
const enough = {
  WAYBILL_DATABASE_URL: 'postgres://waybill:s3cret@db.example.com/waybill',
  WAYBILL_KEY: `new:${key},old:${randomBytes(32).toString('base64url')}`,
};

function problemsOf(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect(error).toHaveProperty('kind', 'config_invalid');
    return (error as Failure).message.split('\n').slice(1);
  }
  return [];
}

test('a database and a key are enough; everything else has a usual value', () => {
  const config = loadConfig(enough);
  expect(config.temporal).toEqual({ address: '127.0.0.1:7233', namespace: 'default' });
  expect(config.api).toEqual({ host: '127.0.0.1', port: 8080 });
  expect(config.limits.batchBytesMax).toBe(16 * 1024 * 1024);
  expect(config.allowedNetworks).toEqual([]);
  expect(config.rateLimits).toEqual({ publicMax: 600, sshKeysMax: 60, proxies: 0 });
});

test('the first key is the one that seals, and each has its 32 bytes', () => {
  const [first, second] = loadConfig(enough).sealKeys;
  expect(first?.id).toBe('new');
  expect(first?.key.toString('base64url')).toBe(key);
  expect(second?.id).toBe('old');
});

test('machine types are a JSON list with one default, and ids that differ', () => {
  const large = { id: '0199AA00-0000-7000-8000-00000000000a', name: 'large', is_default: true };
  const read = (types: unknown) =>
    loadConfig({ ...enough, WAYBILL_MACHINE_TYPES: JSON.stringify(types) }).machineTypes;
  expect(read([large])).toEqual([{ ...large, id: large.id.toLowerCase(), description: '' }]);
  for (const wrong of [[], [{ ...large, is_default: false }], [large, large], [{ name: 'x' }], 1]) {
    expect(() => read(wrong)).toThrow('WAYBILL_MACHINE_TYPES must be a JSON list of types');
  }
  expect(problemsOf({ ...enough, WAYBILL_MACHINE_TYPES: 'large' })).toHaveLength(1);
});

test('an empty setting counts as not set', () => {
  expect(loadConfig({ ...enough, WAYBILL_API_PORT: '' }).api.port).toBe(8080);
  expect(problemsOf({ ...enough, WAYBILL_KEY: ' ' })).toHaveLength(1);
});

test('all problems are named at once, each with an example', () => {
  const problems = problemsOf({ WAYBILL_API_PORT: 'http', WAYBILL_LOG_LEVEL: 'loud' });
  expect(problems).toHaveLength(4);
  for (const problem of problems) expect(problem).toMatch(/^ {2}[A-Z_]+ .+ Example: [A-Z_]+=.+$/);
  expect(problems.join('\n')).toContain('WAYBILL_API_PORT must be a whole number from 0 to 65535');
});

test('a message repeats what was given, but never a secret', () => {
  const problems = problemsOf({
    WAYBILL_DATABASE_URL: 'mysql://waybill:s3cret@db.example.com/waybill',
    WAYBILL_KEY: 'new:c2hvcnQ',
    WAYBILL_PUBLIC_URL: 'ftp://waybill.example.com',
  }).join('\n');
  expect(problems).not.toMatch(/s3cret|c2hvcnQ/);
  expect(problems).toContain('not "ftp://waybill.example.com"');
});

describe('out of range', () => {
  test.each([
    ['WAYBILL_API_PORT', '65536'],
    ['WAYBILL_SLICE_SECONDS', '9'],
    ['WAYBILL_SLICE_SECONDS', '1e3'],
    ['WAYBILL_BATCH_BYTES', '65535'],
    ['WAYBILL_BATCH_ROWS', '0'],
    ['WAYBILL_DATA_SLOTS', '65'],
    ['WAYBILL_AUDIT_RETENTION_DAYS', '-1'],
    ['WAYBILL_ALLOWED_NETWORKS', '10.0.0.0/33'],
    ['WAYBILL_ALLOWED_NETWORKS', '10.0.0.0/8;10.1.0.0/16'],
    ['TEMPORAL_ADDRESS', 'temporal'],
    ['TEMPORAL_ADDRESS', 'http://temporal:7233'],
  ])('%s=%s is refused', (name, value) => {
    expect(problemsOf({ ...enough, [name]: value })).toEqual([expect.stringContaining(name)]);
  });
});
