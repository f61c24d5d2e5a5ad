import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A place in the tree, and what is wrong there. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly from: string;
  /** A path of ours, or the name of a package as it is written. */
  readonly to: string;
  readonly isTypeOnly: boolean;
  readonly line: number;
}

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Every file that is or would be committed, generated ones left out. */
export function listFiles(): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && existsSync(path.join(root, file)))
    .filter((file) => !/^(db\/migrations|test\/histories)\/|^package-lock\.json$/.test(file));
}

export function readFile(file: string): SourceFile {
  return { path: file, text: readFileSync(path.join(root, file), 'utf8') };
}

export function isCode(file: string): boolean {
  return /\.(ts|mjs)$/.test(file);
}

export function isTest(file: string): boolean {
  return file.startsWith('test/') || file.endsWith('.test.ts');
}

/** Every place where `pattern` (with the g flag) matches. */
export function findAll(file: SourceFile, pattern: RegExp, what: string): Finding[] {
  return [...file.text.matchAll(pattern)].map((match) => ({
    file: file.path,
    line: lineOf(file.text, match.index),
    what: what.replaceAll('$1', match[1] ?? match[0]),
  }));
}

/** What a file imports or re-exports, statically or by import(). */
export function importsOf(file: SourceFile): Import[] {
  const statement =
    /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^import\s+()'([^']+)'/gm;
  const call = /\bimport\(\s*()'([^']+)'/g;
  return [...file.text.matchAll(statement), ...file.text.matchAll(call)].map((match) => ({
    from: file.path,
    to: resolve(file.path, match[2] ?? match[4] ?? ''),
    isTypeOnly: match[1] !== undefined && match[1] !== '',
    line: lineOf(file.text, match.index),
  }));
}

function resolve(from: string, to: string): string {
  return to.startsWith('.') ? path.posix.join(path.posix.dirname(from), to) : to;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** `start` and everything of ours that comes with it at run time, with the chain that leads there. */
export function bundleOf(start: readonly string[], imports: readonly Import[]): Set<string> {
  const seen = new Set(start);
  for (const file of seen) {
    for (const { from, to, isTypeOnly } of imports) {
      if (from === file && !isTypeOnly && existsSync(path.join(root, to))) seen.add(to);
    }
  }
  return seen;
}
