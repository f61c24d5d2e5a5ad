import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  bundleOf,
  findAll,
  importsOf,
  isCode,
  isTest,
  listFiles,
  readFile,
  root,
  type Finding,
} from './source-tree.ts';

// What the linter cannot say about the tree. Each rule lists every place that breaks it, and says what
// to do there.

const files = listFiles();
const code = files.filter(isCode).map(readFile);
const product = code.filter((file) => !isTest(file.path));
const imports = code.flatMap(importsOf);
const productImports = imports.filter((one) => !isTest(one.from));

function check(advice: string, findings: readonly Finding[]): void {
  const places = findings.map(({ file, line, what }) => `${file}:${line} ${what}`);
  expect(places, `${advice}\n${places.join('\n')}\n`).toEqual([]);
}

describe('files', () => {
  /** Started by name, or by a tool that looks for them. */
  const entry =
    /^(bin\/(api|worker|migrate|dev|demo|check|waybill|bundle-workflows)\.ts|bin\/.*\.mjs|bench\/(run|simulate)\.ts|workflows\/workflows\.ts|[^/]+\.config\.ts)$/;

  test('every file of the product is imported by the product', () => {
    const imported = new Set(productImports.map((one) => one.to));
    // The memory connector is the reference that the tests run against.
    const findings = product
      .filter(({ path: file }) => !imported.has(file) && !entry.test(file))
      .filter(
        ({ path: file }) => !file.startsWith('bench/') && !file.startsWith('connectors/memory'),
      )
      .map(({ path: file }) => ({ file, line: 1, what: 'is imported by no other file' }));
    check('Delete the file, or import it where it belongs (tests do not count).', findings);
  });

  test('names are kebab-case, and say what happens inside', () => {
    const vague =
      /(^|\/)(utils?|common|shared|helpers?|services?|core|types|index|manager)(\.|\/|$)/;
    const findings = code
      .map((file) => file.path)
      .filter((file) => vague.test(file) || !/^[a-z0-9./-]+$/.test(file))
      .map((file) => ({ file, line: 1, what: 'has a vague name, or one with capitals' }));
    check(
      'Name the file for its main export: a thing is a noun, a step is verb and object.',
      findings,
    );
  });

  test('folders are at most two deep', () => {
    const findings = code
      .filter((file) => file.path.split('/').length > 3)
      .map((file) => ({ file: file.path, line: 1, what: 'lies deeper than two folders' }));
    check('Move the file up.', findings);
  });

  test('the part that moves data stays readable in a day', () => {
    // Where a transfer begins, and all that it brings along: what is decided, cut and done on its way.
    const start = [
      ...product.map((file) => file.path).filter((file) => file.startsWith('formats/')),
      'workflows/destination-queue.ts',
      ...['plan-model', 'evolve-schema', 'copy-slice', 'finish-model'].map(
        (name) => `activities/${name}.ts`,
      ),
    ];
    const folders = /^(domain|formats|activities|workflows)\//;
    const within = productImports.filter(({ to }) => folders.test(to));
    const counted = [...bundleOf(start, within)].map(readFile);
    const lines = counted.reduce((sum, file) => sum + file.text.split('\n').length - 1, 0);
    expect(
      lines,
      'domain + formats + activities + workflows: find the idea that is missing',
    ).toBeLessThan(4000);
  });
});

describe('text', () => {
  test('lines are at most 110 characters', () => {
    const findings = code.flatMap((file) =>
      file.text.split('\n').flatMap((text, index) => {
        // A sentence in quotes, a pattern and a link stay in one piece.
        const isOnePiece = /(['"`/]).{40,}\1|https?:/.test(text);
        if (text.length <= 110 || (isOnePiece && !isComment(text))) return [];
        return [{ file: file.path, line: index + 1, what: `has ${text.length} characters` }];
      }),
    );
    check('Break the line; the formatter leaves comments alone.', findings);
  });

  test('nothing is left over from work in progress', () => {
    const word = ['TO', 'DO|FIX', 'ME|XX', 'X'].join('');
    const findings = code.flatMap((file) => [
      ...findAll(file, new RegExp(`\\b(${word})\\b`, 'g'), 'says $1: write an issue, or nothing'),
      ...findAll(file, /\bdebugger;/g, 'stops in the debugger'),
    ]);
    check('Finish it or remove it.', findings);
  });

  test('no test is switched off, singled out, or runs against a mocked module', () => {
    const findings = code
      .filter((file) => isTest(file.path))
      .flatMap((file) => [
        ...findAll(file, /\b(?:test|it|describe|suite)\.(only|skip|todo)\(/g, 'uses .$1'),
        ...findAll(file, /\bvi\.(mock|doMock)\(/g, 'uses vi.$1'),
      ]);
    check('Run the test, or delete it; use the memory connector instead of a mock.', findings);
  });

  test('nothing names the machine it was written on', () => {
    const home = /^\/(home|Users)\//.test(homedir()) ? [homedir()] : [];
    const here = [root.replace(/\/$/, ''), ...home];
    const findings = files
      .map(readFile)
      .flatMap((file) =>
        here.flatMap((place) =>
          findAll(file, new RegExp(`${escape(place)}(?=[/\\s'"])`, 'g'), 'names $1'),
        ),
      );
    check('Use a path relative to the root.', findings);
  });
});

describe('borders', () => {
  test('what a workflow brings along is light: no zod, no Node, no driver', () => {
    const start = product.map((file) => file.path).filter((file) => file.startsWith('workflows/'));
    const bundle = bundleOf(start, productImports);
    const findings = productImports
      .filter(({ from, to, isTypeOnly }) => bundle.has(from) && !isTypeOnly && !bundle.has(to))
      .filter(({ to }) => !/^@temporalio\/(workflow|common)$/.test(to))
      .map(({ from, to, line }) => ({ file: from, line, what: `brings ${to} into the bundle` }));
    check('Split the file, so that workflows import a part without it.', findings);
  });

  test('one connector does not import another', () => {
    const findings = productImports
      .filter(({ from, to }) => from.startsWith('connectors/') && to.startsWith('connectors/'))
      .filter(
        ({ from, to }) =>
          connectorOf(from) !== 'registry' && !['connector', 'fields'].includes(connectorOf(to)),
      )
      .filter(({ from, to }) => connectorOf(from) !== connectorOf(to))
      .map(({ from, to, line }) => ({ file: from, line, what: `imports ${to}` }));
    check('Move what both need into formats/ or lib/, at its third user.', findings);
  });

  test('the kind of a connector is named in its own files and the registry only', () => {
    const kinds = new Set(
      product
        .map((file) => file.path)
        .filter((file) => file.startsWith('connectors/'))
        .map(connectorOf),
    );
    for (const own of ['connector', 'registry', 'fields']) kinds.delete(own);
    // The examples in the API's own documents have to name some system.
    const pattern = new RegExp(`(?<!\\bvendor: )['"\`](${[...kinds].join('|')})['"\`]`, 'g');
    const findings = product
      .filter((file) => /^(lib|domain|formats|db|activities|workflows|api)\//.test(file.path))
      .flatMap((file) => findAll(file, pattern, 'names the connector $1'));
    check('Ask the connector through its contract or capabilities instead.', findings);
  });

  test('domain/ looks at no clock', () => {
    const findings = product
      .filter((file) => file.path.startsWith('domain/'))
      .flatMap((file) => findAll(file, /\bnew Date\(\s*\)/g, 'reads the clock'));
    check('Receive the time as an argument.', findings);
  });
});

describe('documents', () => {
  const documents = files
    .filter((file) => file.endsWith('.md') && !file.startsWith('docs/decisions/'))
    .map(readFile);

  test('every path that a document cites exists', () => {
    const cited =
      /`((?:[\w.-]+\/)*[\w-][\w.-]*\.(?:ts|mjs|md|yml|yaml|json|sh|sql)|[\w-]+(?:\/[\w-]+)*\/)`/g;
    const link = /\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g;
    const findings = documents.flatMap((file) => [
      ...findAll(file, cited, '$1').filter(({ what }) => !isThere(what)),
      ...findAll(file, link, '$1').filter(({ what }) => !isThere(beside(file.path, what))),
    ]);
    check('Name the file as it is called now, relative to the root.', findings);
  });

  test('every npm script that a document cites exists', () => {
    const { scripts } = JSON.parse(readFile('package.json').text) as { scripts: object };
    const findings = documents
      .flatMap((file) => findAll(file, /\bnpm run ([\w:]+)/g, '$1'))
      .filter(({ what }) => !Object.hasOwn(scripts, what));
    check('The scripts are those of package.json.', findings);
  });

  /** What runs make is not in the tree: state folders and the files in them. */
  function isThere(place: string): boolean {
    return (
      existsSync(path.join(root, place)) ||
      /^(\.waybill|\.cache|node_modules)\/|^dev\.json$/.test(place)
    );
  }

  function beside(from: string, to: string): string {
    return path.posix.join(path.posix.dirname(from), to);
  }
});

/** `connectors/postgres/read.ts` and `connectors/postgres.ts` are of the connector `postgres`. */
function connectorOf(file: string): string {
  return (file.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function isComment(line: string): boolean {
  return /^\s*(\/\/|\/?\*)/.test(line);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
