// To be run after a change of dependencies: node bin/complete-lockfile.mjs
//
// A package that is built for several platforms names one optional package for each. Where the registry
// at hand lacks some of them, npm leaves them out of the lockfile, and `npm ci` then refuses the lockfile
// everywhere. This adds what is missing by what the names say. Without an integrity hash: npm adds it
// when a registry that has the package first installs it.
import { readFileSync, writeFileSync } from 'node:fs';

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = Object.entries(lock.packages).flatMap(([place, entry]) =>
  Object.entries(entry.optionalDependencies ?? {})
    .map(([name, range]) => ({ place, entry, name, version: range.replace(/^[\^~]/, '') }))
    .filter((missing) => find(place, missing.name)?.version !== missing.version)
    .filter(add),
);
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`Added ${added.length} platform packages to package-lock.json.`);

/** The package as Node would find it from `place`: beside it, or in a folder above. */
function find(place, name) {
  for (let at = place; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const found = lock.packages[`${at}/node_modules/${name}`];
    if (found !== undefined) return found;
  }
  return lock.packages[`node_modules/${name}`];
}

/** @returns whether the name says which platform it is for; other packages are npm's own business */
function add({ place, entry, name, version }) {
  const words = name
    .split('/')
    .at(-1)
    .replace(/\b(win32|windows|win)\b/, 'win32')
    .split('-');
  const os = words.filter((word) => word === 'win32' || systems.includes(word));
  const cpu = words.filter((word) => processors.includes(word));
  if (os.length !== 1 || cpu.length !== 1 || !/^\d/.test(version)) return false;
  const libc = words.find((word) => /^(gnu|musl)/.test(word))?.startsWith('musl')
    ? ['musl']
    : ['glibc'];
  const isTaken = find(place, name) !== undefined;
  lock.packages[`${isTaken ? `${place}/` : ''}node_modules/${name}`] = {
    version,
    cpu,
    ...(entry.dev ? { dev: true } : {}),
    ...(os[0] === 'linux' && words.some((word) => /^(gnu|musl)/.test(word)) ? { libc } : {}),
    license: entry.license,
    optional: true,
    os,
  };
  return true;
}
