import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readFile, root } from './source-tree.ts';

// `docs/compatibility.md` names a test for each rule: they have to be there, under that title.

const { text } = readFile('docs/compatibility.md');

interface Row {
  readonly rule: string;
  readonly file: string;
  readonly title: string | undefined;
}

const rows: Row[] = [...text.matchAll(/^\| (.+?) \| `([^`]+)`(?: › (.+?))? \|$/gm)].map(
  (match) => ({
    rule: match[1] ?? '',
    file: match[2] ?? '',
    title: match[3],
  }),
);

test('every section of the contract has its part, in order', () => {
  const numbers = [...text.matchAll(/^## (\d+)\. /gm)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: 19 }, (_, index) => index + 1));
});

test('every test that is named exists under that title', () => {
  expect(rows.length).toBeGreaterThan(80);
  const missing = rows.filter(({ file, title }) => {
    if (!existsSync(path.join(root, file))) return true;
    return title !== undefined && !plain(readFile(file).text).includes(plain(title));
  });
  expect(missing).toEqual([]);
});

test('no rule stands twice', () => {
  const rules = rows.map(({ rule }) => rule);
  expect(rules.filter((rule, index) => rules.indexOf(rule) !== index)).toEqual([]);
});

/** A title may be broken over lines, or hold a quote that its string escapes. */
function plain(title: string): string {
  return title.replaceAll("\\'", "'");
}
