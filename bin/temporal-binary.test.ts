import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  cacheFolder,
  findTemporalBinary,
  temporalVersion,
  type Installer,
} from './temporal-binary.ts';

let folder: string;
let said: string[];
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'waybill-binary-'));
  said = [];
  env = { PATH: path.join(folder, 'bin'), WAYBILL_CACHE_DIR: path.join(folder, 'cache') };
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeProgram(file: string, answer: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho "${answer}"\n`);
  chmodSync(file, 0o755);
  return file;
}

const working = (file: string) => writeProgram(file, 'temporal version 1.5.1 (Server 1.29.1)');
const find = (installers: Installer[] = []) =>
  findTemporalBinary({ env, say: (line) => said.push(line), installers });
const cached = () => path.join(folder, 'cache', 'temporal', temporalVersion, 'temporal');

describe('findTemporalBinary', () => {
  test('takes TEMPORAL_CLI_PATH before all else', async () => {
    working(path.join(folder, 'bin', 'temporal'));
    env['TEMPORAL_CLI_PATH'] = working(path.join(folder, 'mine'));
    expect(await find()).toBe(path.join(folder, 'mine'));
  });

  test.each([
    ['is missing', undefined],
    ['is another program', 'psql (PostgreSQL) 18'],
  ])('refuses a TEMPORAL_CLI_PATH that %s', async (_why, answer) => {
    const file = path.join(folder, 'mine');
    if (answer !== undefined) writeProgram(file, answer);
    env['TEMPORAL_CLI_PATH'] = file;
    await expect(find()).rejects.toThrow(`TEMPORAL_CLI_PATH names ${file}, which does not answer`);
  });

  test('takes the one on PATH, else the one in the cache', async () => {
    working(cached());
    expect(await find()).toBe(cached());
    working(path.join(folder, 'bin', 'temporal'));
    expect(await find()).toBe('temporal');
  });

  test('fetches into the cache once, trying one way after the other', async () => {
    const asked: string[] = [];
    const refused: Installer = async () => {
      asked.push('download');
      return { failed: 'the official download failed (refused)' };
    };
    const builds: Installer = async ({ file }) => {
      asked.push('build');
      working(file);
      return { failed: undefined };
    };
    expect(await find([refused, builds])).toBe(cached());
    expect(await find([refused, builds])).toBe(cached());
    expect(asked).toEqual(['download', 'build']);
    expect(said).toEqual(['  not possible: the official download failed (refused)']);
  });

  test('replaces a cached file that does not run', async () => {
    writeProgram(cached(), 'half a file');
    const builds: Installer = async ({ file }) => {
      working(file);
      return { failed: undefined };
    };
    expect(await find([builds])).toBe(cached());
  });

  test('says what to install when there is no way', async () => {
    const refused: Installer = async () => ({ failed: 'Go cannot be used (not installed)' });
    const failure = await find([refused]).catch((error: Error) => error);
    expect(failure).toMatchObject({ kind: 'unavailable' });
    expect(String(failure)).toMatch(
      /Go cannot be used.*Install the Temporal command line.*or Go 1\.25/s,
    );
  });
});

test('the cache is shared by every clone of one user unless told otherwise', () => {
  expect(cacheFolder({ WAYBILL_CACHE_DIR: '/mine' })).toBe('/mine');
  expect(cacheFolder({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/waybill');
  expect(cacheFolder({})).toMatch(/\.cache\/waybill$/);
});
