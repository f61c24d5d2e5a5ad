import { describe, expect, test } from 'vitest';
import { allowsScope, keyScopes, scopeNeeded } from './key-scopes.ts';

describe('the scope that a call needs', () => {
  test.each([
    ['GET', '/', undefined],
    ['GET', '/sources', 'sources:read'],
    ['POST', '/sources/1/test-connection', 'sources:write'],
    ['PUT', '/models/invoices', 'models:write'],
    ['POST', '/actions/validate-config', 'models:write'],
    ['PATCH', '/destinations/1', 'destinations:write'],
    ['POST', '/destinations/1/transfer', 'transfers:write'],
    ['GET', '/destinations/1/transfers', 'transfers:read'],
    ['GET', '/destinations/1/data-integrity/2', 'transfers:read'],
    ['POST', '/actions/generate-scoped-auth-token', 'tokens:write'],
    ['DELETE', '/webhooks/1', 'webhooks:write'],
    ['POST', '/actions/something-new', 'unknown'],
    ['GET', '/toString', 'unknown'],
  ])('%s %s', (method, path, needed) => {
    expect(scopeNeeded(method, path)).toBe(needed);
  });
});

describe('a key', () => {
  test('without scopes may do everything, also what no area holds', () => {
    for (const needed of [undefined, 'unknown', ...keyScopes] as const) {
      expect(allowsScope(null, needed)).toBe(true);
    }
  });

  test('with scopes may do what they name and nothing else', () => {
    expect(allowsScope(['models:write'], 'models:write')).toBe(true);
    expect(allowsScope(['models:write'], 'models:read')).toBe(true);
    expect(allowsScope(['models:read'], 'models:write')).toBe(false);
    expect(allowsScope(['models:write'], 'sources:read')).toBe(false);
    expect(allowsScope(['read'], 'logs:read')).toBe(true);
    expect(allowsScope(['read'], 'logs:write')).toBe(false);
    expect(allowsScope([], 'models:read')).toBe(false);
    expect(allowsScope(['read', 'models:write'], 'unknown')).toBe(false);
  });

  test('of any kind may ask who it is', () => {
    expect(allowsScope([], undefined)).toBe(true);
  });
});
