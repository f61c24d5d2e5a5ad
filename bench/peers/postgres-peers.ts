import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../../bin/run-command.ts';
import { Failure } from '../../domain/failure.ts';
import { urlOf, type Peer } from './peer.ts';
import { runProgram } from './run-program.ts';

/** Of the servers that the bench starts: older clients refuse them. */
const serverMajor = 18;
const commandTimeoutMs = 10_000;
const downloadTimeoutMs = 300_000;
const home = path.resolve('.cache/peers/debian');

/** Both make the table where it is at the source. */
const table = 'public.orders';
const remark = 'with the second index of the source';

const pgDump: Peer = {
  name: 'pg_dump | psql',
  remark,
  prepare: async () => {
    await requirePgDump();
    return ({ source, destination }) => ({
      command: 'sh',
      args: [
        '-c',
        `pg_dump --no-owner --no-privileges --table=${table} "$SOURCE" | psql --no-psqlrc --quiet "$DESTINATION"`,
      ],
      env: { SOURCE: urlOf(source), DESTINATION: urlOf(destination) },
      table,
    });
  },
};

const pgcopydb: Peer = {
  name: 'pgcopydb',
  remark,
  prepare: async (signal) => {
    await requirePgDump();
    const program = await unpackDebian('pgcopydb', signal);
    const script = `
      printf '[include-only-table]\\n${table}\\n' > "$FOLDER/filters.ini"
      exec "$PROGRAM" clone --dir "$FOLDER/work" --filters "$FOLDER/filters.ini" --no-owner --no-acl`;
    return ({ source, destination, folder }) => ({
      command: 'sh',
      args: ['-c', script],
      env: {
        PROGRAM: program,
        FOLDER: folder,
        PGCOPYDB_SOURCE_PGURI: urlOf(source),
        PGCOPYDB_TARGET_PGURI: urlOf(destination),
      },
      table,
    });
  },
};

export const postgresPeers: readonly Peer[] = [pgDump, pgcopydb];

/** pg_dump reads no server that is newer than itself, and pgcopydb calls it. */
async function requirePgDump(): Promise<void> {
  const found = await runCommand('pg_dump', ['--version'], { timeoutMs: commandTimeoutMs });
  const major = Number(/(\d+)(\.\d+)?/.exec(found.stdout)?.[1]);
  if (found.failed !== undefined) throw new Failure('unavailable', 'there is no pg_dump on PATH');
  if (major >= serverMajor) return;
  const message = `needs pg_dump ${serverMajor}, and the one on PATH is of version ${major}, which refuses the server`;
  throw new Failure('unavailable', message);
}

/** Into a folder of our own: nothing is installed. @returns the program of that name */
async function unpackDebian(name: string, signal: AbortSignal): Promise<string> {
  await mkdir(home, { recursive: true });
  const limits = { cwd: home, signal, timeoutMs: downloadTimeoutMs };
  await runProgram({ command: 'apt-get', args: ['download', name], ...limits });
  const file = (await readdir(home)).find((each) => each.startsWith(`${name}_`));
  await runProgram({ command: 'dpkg-deb', args: ['--extract', file ?? name, '.'], ...limits });
  return path.join(home, 'usr', 'bin', name);
}
