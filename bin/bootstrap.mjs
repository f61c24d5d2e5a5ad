// The way into Waybill from a fresh clone: `node bin/bootstrap.mjs <command> …`. Plain JavaScript that
// Node 20 runs, without packages: it installs what is missing, finds Node 24 and hands over to the
// TypeScript entry.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR = 24;

/** What each command starts; further words on the command line follow these. */
const ENTRIES = {
  demo: ['bin/demo.ts'],
  dev: ['bin/dev.ts'],
  verify: ['bin/check.ts', 'verify'],
  test: ['bin/check.ts', 'test'],
  bench: ['bench/run.ts'],
  waybill: ['bin/waybill.ts'],
};

// oxlint-disable-next-line node/no-process-env -- runs before config.ts can
const npm = process.env.npm_execpath;
const root = fileURLToPath(new URL('..', import.meta.url));

await main();

async function main() {
  const [command = '', ...args] = process.argv.slice(2);
  const entry = ENTRIES[command];
  if (entry === undefined) {
    stop(`There is no command "${command}". The commands are: ${Object.keys(ENTRIES).join(', ')}.`);
  }
  if (!isInstalled()) await install();
  handOver(findNode(), [...entry, ...args]);
}

/**
 * Whether node_modules holds what the lockfile asks for on this machine. npm's own record of its last
 * finished install is compared, so an install made by hand counts, and one that was interrupted does
 * not.
 */
function isInstalled() {
  const wanted = readJson('package-lock.json')?.packages;
  const present = readJson('node_modules/.package-lock.json')?.packages;
  if (wanted === undefined)
    stop('package-lock.json is missing or broken: git checkout package-lock.json');
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
  const modules = join(root, 'node_modules');
  const unfinished = !existsSync(join(modules, '.package-lock.json'));
  const reason = unfinished ? 'Packages are not installed yet' : 'The list of packages has changed';
  console.error(
    `${reason}: installing them into node_modules. Usually takes half a minute to two minutes.`,
  );
  const startedAt = Date.now();
  // An install that was interrupted leaves half a package behind, which npm would take for a whole one.
  if (unfinished) rmSync(modules, { recursive: true, force: true });
  // Not `npm ci`: it empties a node_modules that other programs may be running from. --no-save leaves the
  // lockfile alone. The tools are development packages and Node 24 is an optional one, whatever NODE_ENV or a
  // .npmrc say. npm would warn about each package that wants Node 24, although 24 is what will run it.
  const code = await runNpm([
    ...['install', '--no-save', '--include=dev', '--include=optional'],
    ...['--engine-strict=false', '--loglevel=error'],
  ]);
  if (code !== 0)
    stop('npm install failed (see above). Mend the cause, then give the same command again.');
  console.error(`Packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s.`);
}

function runNpm(args) {
  const child = npm?.endsWith('.js')
    ? spawn(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
    : spawn('npm', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  return new Promise((resolve) => {
    child.once('error', (error) => stop(`npm could not be started: ${error.message}`));
    child.once('close', (code) => resolve(code));
  });
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

/** Runs the entry to its end with our input, output and signals, and ends as it ended. */
function handOver(node, [entry, ...args]) {
  if (!existsSync(join(root, entry))) stop(`${entry} does not exist in this version of Waybill.`);
  const endWithParent = pathToFileURL(join(root, 'bin/end-with-parent.mjs')).href;
  const child = spawn(node, ['--import', endWithParent, join(root, entry), ...args], {
    // The fourth is a channel that closes when this process dies, however it dies.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // A terminal sends Ctrl-C to every process in front; passing it on would make it two.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // npm that is killed leaves us behind unseen: our child is asked to stop as soon as we have another parent.
  const parent = process.ppid;
  const look = () => npm === undefined || process.ppid === parent || child.kill('SIGTERM');
  setInterval(look, 500).unref();
  child.once('error', (error) => stop(`${node} could not be started: ${error.message}`));
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8'));
  } catch {
    return undefined;
  }
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
