// The way into Waybill from a fresh clone: `node bin/bootstrap.mjs <command> …`. Plain JavaScript that
// Node 20 runs, without packages: it installs what is missing, finds Node 24 and hands over to the
// TypeScript entry.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR = 24;

/** What each command starts; further words on the command line follow these. */
const ENTRIES = {
  demo: ['bin/demo.ts'],
  dev: ['bin/dev.ts'],
  verify: ['bin/check.ts', 'verify'],
  test: ['bin/check.ts', 'test'],
  bench: ['bench/run.ts'],
  torture: ['test/torture/run.ts'],
  simulate: ['bench/simulate.ts'],
  waybill: ['bin/waybill.ts'],
};

// oxlint-disable-next-line node/no-process-env -- runs before config.ts can
const npm = process.env.npm_execpath;
const root = fileURLToPath(new URL('..', import.meta.url));
/** Holds the pid of the npm that is changing node_modules. */
const installing = join(root, '.cache/installing.pid');

await main();

async function main() {
  const [command = '', ...args] = process.argv.slice(2);
  const entry = ENTRIES[command];
  if (entry === undefined) {
    stop(`There is no command "${command}". The commands are: ${Object.keys(ENTRIES).join(', ')}.`);
  }
  if (!isInstalled()) await install();
  const [file, ...words] = entry;
  if (!existsSync(join(root, file))) stop(`${file} does not exist in this version of Waybill.`);
  const endWithParent = pathToFileURL(join(root, 'bin/end-with-parent.mjs')).href;
  const program = ['--import', endWithParent, join(root, file), ...words, ...args];
  endAs(await run(findNode(), program, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] }));
}

/**
 * Whether node_modules holds what the lockfile asks for on this machine. npm's own record of its last
 * finished install is compared, so an install made by hand counts, and one that was interrupted does
 * not.
 */
function isInstalled() {
  const wanted = readJson('package-lock.json')?.packages;
  const present = readJson('node_modules/.package-lock.json')?.packages;
  if (wanted === undefined) stop('package-lock.json is missing or broken: check it out again.');
  if (present === undefined) return false;
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' || !isNeededHere(entry) || present[path]?.version === entry.version,
  );
}

/** Optional packages count only where they are built for this machine: others may rightly be absent. */
function isNeededHere({ optional = false, os, cpu, libc }) {
  if (!optional) return true;
  if (os === undefined && cpu === undefined) return false;
  return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc');
}

function fits(allowed, mine) {
  return allowed === undefined || [allowed].flat().includes(mine);
}

async function install() {
  await untilNobodyInstalls();
  if (isInstalled()) return;
  const modules = join(root, 'node_modules');
  const unfinished = !existsSync(join(modules, '.package-lock.json'));
  const reason = unfinished ? 'Packages are not installed yet' : 'The list of packages has changed';
  say(`${reason}: installing them into node_modules. Usually takes half a minute to two minutes.`);
  const startedAt = Date.now();
  // An install that was interrupted leaves half a package behind, which npm would take for a whole one.
  if (unfinished) rmSync(modules, { recursive: true, force: true });
  const ended = await runNpm();
  rmSync(installing, { force: true });
  if (ended.signal !== null) endAs(ended);
  if (ended.code !== 0) stop('npm install failed (see above). Mend the cause and try again.');
  say(`Packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s.`);
}

/** Another terminal may be at it, or an npm whose own terminal was closed. */
async function untilNobodyInstalls() {
  // Longer than any install: after that the number belongs to some other program.
  const secondsMax = 900;
  for (let second = 0; second < secondsMax; second += 1) {
    if (!isAlive(Number(readText(installing)))) return;
    if (second === 0) say('Another command is installing the packages: waiting for it to finish.');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function runNpm() {
  // Not `npm ci`: it empties a node_modules that other programs may be running from. --no-save leaves the
  // lockfile alone. The tools are development packages and Node 24 is an optional one, whatever NODE_ENV
  // or a .npmrc say. npm would warn about each package that wants Node 24, although 24 will run it.
  const args = [
    ...['install', '--no-save', '--include=dev', '--include=optional'],
    ...['--engine-strict=false', '--loglevel=error'],
  ];
  mkdirSync(dirname(installing), { recursive: true });
  const onStart = (pid) => writeFileSync(installing, String(pid));
  if (npm?.endsWith('.js')) return run(process.execPath, [npm, ...args], { onStart });
  return run('npm', args, { onStart, shell: process.platform === 'win32' });
}

function findNode() {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const installed = join(root, 'node_modules', name, 'bin', file);
  if (existsSync(installed)) return installed;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  return stop(
    `Waybill needs Node ${NODE_MAJOR}; this is ${process.version}, and npm has no Node ${NODE_MAJOR} package for ` +
      `${process.platform} on ${process.arch}. Install it from https://nodejs.org and give the same command again.`,
  );
}

/** Runs a program to its end with our input, output and signals. */
function run(program, args, { onStart, ...options }) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (child.pid !== undefined) onStart?.(child.pid);
  // A terminal sends Ctrl-C to every process in front; passing it on would make it two.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // An npm that is killed leaves us behind unseen: the child is asked to stop once we have another parent.
  const parent = process.ppid;
  const look = () => npm === undefined || process.ppid === parent || child.kill('SIGTERM');
  setInterval(look, 500).unref();
  return new Promise((resolve) => {
    child.once('error', (error) => stop(`${program} could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** Ends this process the way a child of it ended. */
function endAs({ code, signal }) {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readJson(path) {
  try {
    return JSON.parse(readText(join(root, path)));
  } catch {
    return undefined;
  }
}

function say(message) {
  console.error(message);
}

function stop(message) {
  say(message);
  process.exit(1);
}
