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
