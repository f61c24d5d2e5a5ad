import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from './run-program.ts';

const home = '.cache/peers';
const installTimeoutMs = 900_000;

export interface PythonTool {
  readonly name: string;
  /** With their versions: `ingestr==0.15.9`. */
  readonly packages: readonly string[];
}

/**
 * Installs packages of Python into a folder of their own, once. @returns where its programs are
 * @throws Failure `unavailable` where there is no Python or a package cannot be had
 */
export async function installPythonTool(tool: PythonTool, signal: AbortSignal): Promise<string> {
  const folder = path.resolve(home, tool.name);
  const marker = path.join(folder, 'installed');
  const wanted = tool.packages.join('\n');
  if ((await readFile(marker, 'utf8').catch(() => undefined)) !== wanted) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const limits = { signal, timeoutMs: installTimeoutMs };
    await runProgram({ command: 'python3', args: ['-m', 'venv', folder], ...limits });
    const args = ['install', '--quiet', '--disable-pip-version-check', ...tool.packages];
    await runProgram({ command: path.join(folder, 'bin', 'pip'), args, ...limits });
    await writeFile(marker, wanted);
  }
  return path.join(folder, 'bin');
}
