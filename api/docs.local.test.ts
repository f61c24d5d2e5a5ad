import { afterAll, beforeAll, expect, test } from 'vitest';
import { explanations } from '../domain/error-codes.ts';
import { errorTitles, type ErrorCode } from '../domain/failure.ts';
import type { TestApi } from '../test/harness/api.ts';
import { at, createTestApi } from '../test/harness/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi({
    publicUrl: 'https://waybill.test/<base>',
    temporalUiUrl: 'http://127.0.0.1:8233',
  });
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

test('the document shows the block of each vendor, secrets only where they are written', async () => {
  const answer = await api.call('GET', '/openapi.json', { key: null });
  expect(at(answer, 'openapi')).toBe('3.1.0');
  const schemas = at(answer, 'components.schemas') as Record<
    string,
    { properties: Record<string, object> }
  >;
  expect(JSON.stringify(schemas['SourceInput']?.properties['postgres'])).toContain('password');
  expect(JSON.stringify(schemas['Source']?.properties['postgres'])).not.toContain('"password"');
  expect(answer.text).not.toContain('Failed to');
});

test('the page of the API has every path, a curl for each, and loads nothing from elsewhere', async () => {
  const document = await api.call('GET', '/openapi.json', { key: null });
  const page = await api.call('GET', '/docs', { key: null });
  expect(page.headers.get('content-type')).toContain('text/html');
  for (const path of Object.keys(at(document, 'paths') as object))
    expect(page.text).toContain(`<code>${path}</code>`);
  expect(page.text).toContain('curl -X POST');
  expect(page.text).toContain('postgres.password_auth.password');
  expect(page.text).not.toMatch(/<script|<link|src=|@import/);
  expect(page.text).not.toContain('<base>');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('the page of errors has a section for every public code, with cause, blame and remedy', async () => {
  const page = await api.call('GET', '/export/docs/errors', { key: null });
  const codes = Object.keys(errorTitles) as ErrorCode[];
  const sections = page.text.split('<section ').slice(1);
  expect(sections.map((text) => /^id="WBL-(\w+)"/.exec(text)?.[1])).toEqual(codes);
  for (const [index, code] of codes.entries()) {
    for (const words of Object.values(explanations[code])) expect(sections[index]).toContain(words);
  }
  expect(page.headers.get('access-control-allow-origin')).toBe('*');
});
