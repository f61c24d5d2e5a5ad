import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSealer, SealError, type SealErrorCode } from './seal.ts';

const old = { id: 'k1', key: randomBytes(32) };
const current = { id: 'k2', key: randomBytes(32) };
const place = 'destinations/42/password';

function codeOf(work: () => unknown): SealErrorCode | 'none' {
  try {
    work();
    return 'none';
  } catch (error) {
    if (error instanceof SealError) return error.code;
    throw error;
  }
}

test('whatever is sealed opens at its own place', () => {
  const sealer = createSealer([current]);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (plain, context) => {
      const sealed = sealer.seal(plain, context);
      expect(sealed).toMatch(/^v1\.k2\.[\w-]{80}\.[\w-]{16}\.[\w-]{22,}$/);
      expect(sealer.open(sealed, context)).toBe(plain);
    }),
  );
});

test('the same secret never looks the same twice', () => {
  const sealer = createSealer([current]);
  const parts = [sealer.seal('s', place), sealer.seal('s', place)].map((sealed) =>
    sealed.split('.'),
  );
  for (const part of [2, 3, 4]) expect(parts[0]?.[part]).not.toBe(parts[1]?.[part]);
});

test('a sealed value copied to another place does not open', () => {
  const sealer = createSealer([current]);
  const sealed = sealer.seal('secret', place);
  expect(codeOf(() => sealer.open(sealed, 'destinations/43/password'))).toBe('tampered');
  expect(codeOf(() => sealer.rewrap(sealed, 'destinations/43/password'))).toBe('tampered');
});

test('no changed character goes unnoticed', () => {
  const sealer = createSealer([current]);
  const sealed = sealer.seal('secret', place);
  for (let at = 0; at < sealed.length; at += 1) {
    const other = sealed[at] === 'A' ? 'B' : 'A';
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
    expect(
      codeOf(() => sealer.open(changed, place)),
      `at ${at}`,
    ).not.toBe('none');
  }
});

test('parts of two sealed values cannot be mixed', () => {
  const sealer = createSealer([current]);
  const one = sealer.seal('one', place).split('.');
  const two = sealer.seal('two', place).split('.');
  const mixed = [...one.slice(0, 3), ...two.slice(3)].join('.');
  expect(codeOf(() => sealer.open(mixed, place))).toBe('tampered');
});

test('rotation: old keys open, a rewrapped value needs the new key only', () => {
  const sealed = createSealer([old]).seal('secret', place);
  const both = createSealer([current, old]);
  expect(both.open(sealed, place)).toBe('secret');
  const rewrapped = both.rewrap(sealed, place);
  expect([both.keyIdOf(sealed), both.keyIdOf(rewrapped)]).toEqual(['k1', 'k2']);
  expect(createSealer([current]).open(rewrapped, place)).toBe('secret');
  expect(rewrapped.split('.').slice(3)).toEqual(sealed.split('.').slice(3));
  expect(codeOf(() => createSealer([current]).open(sealed, place))).toBe('unknown_key');
});

test('another key under the same id is told from a missing one', () => {
  const sealed = createSealer([old]).seal('secret', place);
  const impostor = createSealer([{ id: 'k1', key: randomBytes(32) }]);
  expect(codeOf(() => impostor.open(sealed, place))).toBe('tampered');
});

test.each(['', 'secret', 'v1', 'v1.k2', 'v2.k2.a.b.c', 'v1.k2.AAAA.AAAA.AAAA', 'v1.k 2.a.b.c'])(
  '%j is malformed, and the error does not repeat it',
  (text) => {
    const sealer = createSealer([current]);
    expect(codeOf(() => sealer.open(text, place))).toBe('malformed');
    expect(codeOf(() => sealer.keyIdOf(text))).toBe('malformed');
  },
);

test('trailing parts, padding and whitespace are malformed', () => {
  const sealer = createSealer([current]);
  const sealed = sealer.seal('secret', place);
  for (const text of [`${sealed}.AA`, `${sealed}=`, `${sealed}\n`, ` ${sealed}`]) {
    expect(codeOf(() => sealer.open(text, place))).toBe('malformed');
  }
});

test('unfit keys are refused at once', () => {
  expect(codeOf(() => createSealer([]))).toBe('bad_key');
  expect(codeOf(() => createSealer([{ id: 'k', key: randomBytes(16) }]))).toBe('bad_key');
  expect(codeOf(() => createSealer([{ id: 'a.b', key: randomBytes(32) }]))).toBe('bad_key');
  expect(codeOf(() => createSealer([old, { ...current, id: 'k1' }]))).toBe('bad_key');
});
