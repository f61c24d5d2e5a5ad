import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { searchAttributes } from '../domain/temporal-names.ts';
import { listFiles, readFile } from './source-tree.ts';

// What a fresh clone and a container start from: package.json, its lockfile, docker-compose.yml. No
// Docker runs here: the compose file is read, not started.

interface Package {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Record<string, string>;
}

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, unknown>;
  readonly volumes?: readonly string[];
}

describe('package.json', () => {
  const manifest = JSON.parse(readFile('package.json').text) as Record<
    string,
    Record<string, string>
  >;
  const lock = JSON.parse(readFile('package-lock.json').text) as {
    packages: Record<string, Package>;
  };

  test('every version is exact', () => {
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'];
    const versions = kinds.flatMap((kind) => Object.entries(manifest[kind] ?? {}));
    expect(
      versions.filter(([, version]) => !/^(npm:[\w.-]+@)?\d+\.\d+\.\d+[\w.-]*$/.test(version)),
    ).toEqual([]);
  });

  test('Node comes in one version for every platform', () => {
    const versions = Object.entries(manifest['optionalDependencies'] ?? {})
      .filter(([name]) => name.startsWith('node-'))
      .map(([, version]) => version);
    expect(new Set(versions).size).toBe(1);
  });

  test('it needs fewer than 15 packages at run time, drivers aside', () => {
    const drivers = ['pg', 'pg-copy-streams', 'ssh2'];
    // Packages of one house move together, and are one thing to look after.
    const houseOf = (name: string) => (name.startsWith('@') ? name.split('/')[0] : name);
    const all = Object.keys(manifest['dependencies'] ?? {});
    const names = [...new Set(all.filter((name) => !drivers.includes(name)).map(houseOf))];
    expect(names.length, names.join(', ')).toBeLessThan(15);
  });

  test('the lockfile names no host, and every platform that a package is built for', () => {
    const resolved = Object.entries(lock.packages).filter(([, one]) => one.resolved !== undefined);
    expect(
      resolved.map(([name]) => name),
      'set omit-lockfile-registry-resolved=true',
    ).toEqual([]);
    const missing = Object.entries(lock.packages).flatMap(([place, one]) =>
      Object.keys(one.optionalDependencies ?? {}).filter((name) => !isLocked(place, name)),
    );
    expect(missing, 'run: node bin/complete-lockfile.mjs').toEqual([]);
  });

  /** npm looks beside the package and in every folder above. */
  function isLocked(place: string, name: string): boolean {
    if (`${place}/node_modules/${name}` in lock.packages) return true;
    const above = place.lastIndexOf('/node_modules/');
    return above < 0
      ? `node_modules/${name}` in lock.packages
      : isLocked(place.slice(0, above), name);
  }
});

describe('docker-compose.yml', () => {
  const { services } = parse(readFile('docker-compose.yml').text, { merge: true }) as {
    services: Record<string, Service>;
  };
  const known = listFiles();

  test('every image has an exact tag, and the tools of the server are of its version', () => {
    const images = Object.values(services).map((service) => service.image);
    const pinned = /^(waybill:local|[\w./-]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?)$/;
    expect(images.filter((image) => !pinned.test(image))).toEqual([]);
    const tags = images.filter((image) => /temporalio\/(server|admin-tools)/.test(image));
    expect(new Set(tags.map((image) => image.split(':')[1])).size).toBe(1);
  });

  test('every program and every folder that a service uses exists', () => {
    const programs = Object.values(services).flatMap(
      (service) =>
        service.command
          ?.slice(1)
          .filter((word) => !word.startsWith('--'))
          .slice(0, 1) ?? [],
    );
    expect(programs.filter((file) => !known.includes(file))).toEqual([]);
    const folders = Object.values(services)
      .flatMap((service) => service.volumes ?? [])
      .filter((volume) => volume.startsWith('./'))
      .map((volume) => volume.slice(2, volume.indexOf(':')));
    expect(
      folders.filter((folder) => !known.some((file) => file.startsWith(`${folder}/`))),
    ).toEqual([]);
  });

  test('our services wait for the migrations and the namespace', () => {
    for (const name of ['api', 'worker']) {
      expect(Object.keys(services[name]?.depends_on ?? {})).toEqual([
        'migrate',
        'temporal-namespace',
      ]);
    }
  });

  test('every setting that it passes is one that config.ts reads', () => {
    const settings = readFile('config.ts').text;
    const passed = Object.keys(services['worker']?.environment ?? {}).filter(
      (name) => name !== 'NODE_OPTIONS' && name !== 'MALLOC_ARENA_MAX',
    );
    expect(passed.filter((name) => !settings.includes(`${name}:`))).toEqual([]);
    expect(passed).toContain('WAYBILL_KEY');
  });

  test('the namespace job creates exactly the search attributes that the workflows use', () => {
    const script = readFile('deploy/temporal/setup-namespace.sh').text;
    const created = [...script.matchAll(/\b([A-Z]\w+)=(Keyword|Datetime|Int)\b/g)].map((m) => [
      m[1],
      m[2],
    ]);
    expect(Object.fromEntries(created)).toEqual(searchAttributes);
  });
});

test('.ci/run is npm test and nothing else', () => {
  const commands = readFile('.ci/run')
    .text.split('\n')
    .filter((line) => /^\s*[^#\s]/.test(line));
  expect(commands).toEqual(['set -euo pipefail', 'cd "$(dirname "$0")/.."', 'exec npm test']);
});
