import { expect, test } from 'vitest';
import { z } from 'zod';
import { echoSettings, parseSettings, patchSettings, placeOf } from './settings.ts';

/** A vendor with two ways to log in, a secret at the top and one that is nested and optional. */
const schema = z.object({
  host: z.string().min(1).meta({ place: true }),
  port: z.int().default(443).meta({ place: true }),
  folder: z.string().optional(),
  token: z.string().min(1).meta({ secret: true }).optional(),
  auth_method: z.enum(['password_auth', 'access_keys']).default('password_auth'),
  password_auth: z
    .object({ username: z.string(), password: z.string().min(1).meta({ secret: true }) })
    .optional(),
  access_keys: z
    .object({ access_id: z.string(), secret_key: z.string().min(1).meta({ secret: true }) })
    .optional(),
});

const password_auth = { username: 'u', password: 'p' };
const access_keys = { access_id: 'a', secret_key: 's' };

const stored = {
  settings: {
    host: 'h',
    port: 443,
    auth_method: 'password_auth',
    password_auth: { username: 'u' },
  },
  secretPaths: ['token', 'password_auth.password'],
};

function patch(block: object) {
  return patchSettings(schema, stored, { block, path: 'source.x' });
}

test('secrets are taken out of a block at any depth', () => {
  const { settings, secrets } = parseSettings(
    schema,
    { host: 'h', token: 't', password_auth },
    'x',
  );
  expect(settings).toEqual({ ...stored.settings });
  expect(secrets).toEqual({ token: 't', password_auth: { password: 'p' } });
});

test('objects of ways to log in that were not chosen are dropped', () => {
  const { settings, secrets } = parseSettings(
    schema,
    { host: 'h', auth_method: 'access_keys', password_auth, access_keys },
    'x',
  );
  expect(settings).not.toHaveProperty('password_auth');
  expect(secrets).toEqual({ access_keys: { secret_key: 's' } });
});

test('a patch without secrets keeps all that are stored', () => {
  const patched = patch({ host: 'other', token: '', password_auth: { password: null } });
  expect(patched.settings).toMatchObject({ host: 'other', password_auth: { username: 'u' } });
  expect(patched.secrets).toEqual({ password_auth: {} });
  expect(JSON.stringify(patched.settings)).not.toContain('stored');
});

test('a patch with one secret replaces that one', () => {
  expect(patch({ token: 'new' }).secrets).toEqual({ token: 'new', password_auth: {} });
});

test('another way to log in drops the old one and its secret', () => {
  const { settings, secrets } = patch({ auth_method: 'access_keys', access_keys });
  expect(settings).not.toHaveProperty('password_auth');
  expect(settings).toMatchObject({ access_keys: { access_id: 'a' } });
  expect(secrets).toEqual({ access_keys: { secret_key: 's' } });
});

test('keys of the language are keys that nobody declared', () => {
  const block = JSON.parse(
    '{"__proto__": {"host": "evil"}, "constructor": 1, "host": "h"}',
  ) as object;
  const { settings } = parseSettings(schema, { ...block, password_auth }, 'x');
  expect(settings).toEqual(stored.settings);
});

test('a place is where rows land: not who logs in, not how the host is spelled', () => {
  const place = (changes: object) => placeOf(schema, 'x', { ...stored.settings, ...changes });
  expect(place({ host: 'H', password_auth: { username: 'other' } })).toBe(place({}));
  expect(place({ port: 444 })).not.toBe(place({}));
});

test('what is unset is echoed as null, secrets and other ways to log in are not', () => {
  expect(echoSettings(schema, stored.settings)).toEqual({ ...stored.settings, folder: null });
});

/** A vendor whose bucket has a login of its own, and which takes files in one form or another. */
const nested = z.object({
  bucket_vendor: z.enum(['bucket_s3', 'bucket_gcs', 'bucket_implicit']).default('bucket_s3'),
  bucket_s3: z.object({ bucket_name: z.string().min(1), ...schema.shape }).optional(),
  bucket_gcs: z
    .object({
      key_file: z
        .union([z.record(z.string(), z.unknown()), z.string()])
        .meta({ secret: true, json: true }),
    })
    .optional(),
  file_format: z.enum(['parquet', 'csv']).default('parquet'),
  csv: z.object({ delimiter: z.string().length(1).default(',') }).optional(),
});

const bucket_s3 = { bucket_name: 'b', host: 'h', auth_method: 'access_keys', access_keys };

test('an object that a word names must be there, unless it has nothing to say', () => {
  expect(() => parseSettings(nested, {}, 'x')).toThrow(
    'x.bucket_s3 is missing; it must be an object, because bucket_vendor is bucket_s3.',
  );
  const withoutKeys = { bucket_s3: { ...bucket_s3, access_keys: undefined } };
  expect(() => parseSettings(nested, withoutKeys, 'x')).toThrow(
    'x.bucket_s3.access_keys is missing',
  );
  const csv = { bucket_vendor: 'bucket_implicit', file_format: 'csv' };
  expect(parseSettings(nested, csv, 'x').settings).toEqual(csv);
});

test('at any depth only the object that a word names is kept, with its secrets', () => {
  const both = {
    bucket_s3: { ...bucket_s3, password_auth },
    bucket_gcs: { key_file: 'k' },
    csv: { delimiter: ';' },
  };
  const { settings, secrets } = parseSettings(nested, both, 'x');
  expect(Object.keys(settings)).toEqual(['bucket_vendor', 'bucket_s3', 'file_format']);
  expect(secrets).toEqual({ bucket_s3: { access_keys: { secret_key: 's' } } });
  const stored = { settings, secretPaths: ['bucket_s3.access_keys.secret_key'] };
  const moved = { bucket_vendor: 'bucket_gcs', bucket_gcs: { key_file: { private_key: 'p' } } };
  const patched = patchSettings(nested, stored, { block: moved, path: 'x' });
  expect(patched.settings).not.toHaveProperty('bucket_s3');
  expect(patched.keptSecretPaths).toEqual([]);
  // As one text: a new key file must not be merged with the old one.
  expect(patched.secrets).toEqual({ bucket_gcs: { key_file: '{"private_key":"p"}' } });
  const kept = patchSettings(nested, stored, { block: { file_format: 'csv' }, path: 'x' });
  expect(kept.keptSecretPaths).toEqual(stored.secretPaths);
});

test('empty text is no value where one may be left out, and a fault where not', () => {
  const sent = { host: 'h', folder: '', port: '', password_auth };
  expect(parseSettings(schema, sent, 'x').settings).toEqual(stored.settings);
  expect(() => parseSettings(schema, { ...sent, host: '' }, 'x')).toThrow(
    'x.host must be at least 1 character long.',
  );
});
