import { expect, test } from 'vitest';
import { postgresRoles } from './roles.ts';

test('the lookback of a Postgres source is 30 seconds', () => {
  expect(postgresRoles.source?.lookbackSeconds).toBe(30);
});
