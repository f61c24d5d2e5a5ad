import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { explanations } from './error-codes.ts';
import { errorTitles, type ErrorCode } from './failure.ts';

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

test('the page of errors in docs says of every code what the served page says, and of no other', () => {
  const sections = (Object.keys(errorTitles) as ErrorCode[]).map((code) => {
    const { cause, blame, remedy } = explanations[code];
    return `## WBL-${code}: ${errorTitles[code]}\n\n- Cause: ${cause}\n- To act: ${blame}.\n- Remedy: ${remedy}\n`;
  });
  expect(page.slice(page.indexOf('## '))).toBe(sections.join('\n'));
});
