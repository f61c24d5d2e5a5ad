import { describe, expect, test } from 'vitest';
import { leavesOf, movedFields, originOf } from './token-grant.ts';

describe('leaves', () => {
  test('are told by their path, and numbers count like their text', () => {
    const block = { host: 'db', port: 5432, password_auth: { username: 'u' } };
    expect(leavesOf({ vendor: 'postgres', frequency_minutes: '60', postgres: block })).toEqual([
      { path: 'vendor', value: 'postgres' },
      { path: 'frequency_minutes', value: '60' },
      { path: 'postgres.host', value: 'db' },
      { path: 'postgres.port', value: '5432' },
      { path: 'postgres.password_auth.username', value: 'u' },
    ]);
    expect(leavesOf({ frequency_minutes: 60 })).toEqual(leavesOf({ frequency_minutes: ' 60 ' }));
  });

  test('that are empty or null are empty ones, and the type is none', () => {
    expect(leavesOf({ type: 'x', name: '', machine_type_id: null, a: { b: '' } })).toEqual([
      { path: 'name', value: '' },
      { path: 'machine_type_id', value: '' },
      { path: 'a.b', value: '' },
    ]);
    expect(leavesOf({ is_enabled: false, models: [] })).toEqual([
      { path: 'is_enabled', value: 'false' },
      { path: 'models', value: '[]' },
    ]);
  });

  test('of lists count as a whole and in order', () => {
    expect(leavesOf({ models: ['a', 'b'] })).not.toEqual(leavesOf({ models: ['b', 'a'] }));
  });

  test('of JSON that may come as text are equal in both forms, whatever the order of keys', () => {
    const key = { b: 1, a: { d: 2, c: 3 } };
    const asText = JSON.stringify({ a: { c: 3, d: 2 }, b: 1 });
    expect(leavesOf({ service_account_key: key })).toEqual(
      leavesOf({ service_account_key: asText }),
    );
    expect(leavesOf({ service_account_key: 'no json' })).toHaveLength(1);
  });
});

test('a change moves a destination where it names another host or bucket, at any depth', () => {
  const stored = { postgres: { host: 'db', port: 5432, ssh_tunnel: { ssh_tunnel_host: 'hop' } } };
  expect(movedFields(stored, { postgres: { host: 'db', port: 9999 } })).toEqual([]);
  expect(movedFields(stored, { postgres: { host: 'evil' } })).toEqual(['postgres.host']);
  expect(movedFields(stored, { postgres: { ssh_tunnel: { ssh_tunnel_host: 'evil' } } })).toEqual([
    'postgres.ssh_tunnel.ssh_tunnel_host',
  ]);
  expect(movedFields(stored, { s3: { bucket_name: 'new' } })).toEqual(['s3.bucket_name']);
});

test('a change moves a destination where it takes a frozen field away, alone or with its object', () => {
  const stored = { postgres: { host: 'db', ssh_tunnel: { ssh_tunnel_host: 'hop' } } };
  expect(movedFields(stored, { postgres: { host: '' } })).toEqual(['postgres.host']);
  expect(movedFields(stored, { postgres: { host: null } })).toEqual(['postgres.host']);
  expect(movedFields(stored, { postgres: { ssh_tunnel: null } })).toEqual(['postgres.ssh_tunnel']);
  expect(movedFields(stored, { postgres: null })).toEqual(['postgres']);
  expect(movedFields(stored, { postgres: { password_auth: null } })).toEqual([]);
  expect(movedFields({ s3: { host: null } }, { s3: { host: '' } })).toEqual([]);
});

test.each([
  ['https://app.example.com', 'app.example.com'],
  ['https://App.Example.com:443/', 'app.example.com'],
  ['http://app.example.com:443', 'app.example.com'],
  ['app.example.com', 'app.example.com'],
  ['app.example.com:80', 'app.example.com'],
  ['localhost:3000', 'localhost:3000'],
  ['capacitor://LocalHost', 'localhost'],
  ['http://localhost:3000', 'localhost:3000'],
  [' LOCALHOST:3000 ', 'localhost:3000'],
  ['[::1]:3000', '[::1]:3000'],
  ['http://user@host', undefined],
  ['', undefined],
  ['http://', undefined],
])('the origin %s is %s', (text, origin) => {
  expect(originOf(text)).toBe(origin);
});
