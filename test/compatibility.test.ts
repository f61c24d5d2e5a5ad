import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readFile, root } from './source-tree.ts';

// Pages that name a test for each rule of a contract: it has to be there, under that title.

interface Rule {
  readonly rule: string;
  readonly proof: string;
}

describe.each([
  { page: 'docs/compatibility.md', sections: Array.from({ length: 19 }, (_, index) => index + 1) },
  { page: 'docs/behaviour.md', sections: [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15] },
])('$page', ({ page, sections }) => {
  const { text } = readFile(page);
  const rules: Rule[] = [...text.matchAll(/^\| (.+?) \| (.+) \|$/gm)]
    .map((match) => ({ rule: match[1] ?? '', proof: match[2] ?? '' }))
    .filter(({ rule }) => rule !== 'rule' && rule !== '---');

  test('has a part for every section of the contract, in order', () => {
    const numbers = [...text.matchAll(/^## (\d+)\. /gm)].map((match) => Number(match[1]));
    expect(numbers).toEqual(sections);
  });

  test('names for every rule a test that exists under that title, or says why it is not built', () => {
    expect(rules.filter(({ proof }) => !isTested(proof) && !/^not built: .+/.test(proof))).toEqual(
      [],
    );
  });

  test('has no rule twice', () => {
    const names = rules.map(({ rule }) => rule);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});

function isTested(proof: string): boolean {
  const [, file = '', title] = /^`([^`]+)`(?: › (.+))?$/.exec(proof) ?? [];
  if (file === '' || !existsSync(path.join(root, file))) return false;
  return title === undefined || plain(readFile(file).text).includes(plain(title));
}

/** A title may hold a quote that its string escapes. */
function plain(title: string): string {
  return title.replaceAll("\\'", "'");
}
