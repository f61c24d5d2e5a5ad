import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { runCommand } from '../bin/run-command.ts';
import type { Login } from '../bin/demo-vendor.ts';
import { Failure } from '../domain/failure.ts';

export interface NativeCopy {
  readonly source: Login;
  readonly destination: Login;
  /** The COPY statements of both ends. */
  readonly read: string;
  readonly write: string;
}

/** A native way to bring rows over, and its name for the report. */
export interface NativePipe {
  readonly name: string;
  run(copy: NativeCopy): Promise<void>;
}

/** Two psql processes joined by a pipe where there is a psql, else two COPY streams in this process. */
export async function findNativePipe(): Promise<NativePipe> {
  const psql = await runCommand('psql', ['--version'], { timeoutMs: 5000 });
  if (psql.failed === undefined)
    return { name: `${psql.stdout.trim()}, binary COPY pipe`, run: runPsql };
  return { name: 'two COPY streams joined in Node (no psql on PATH), binary', run: runStreams };
}

async function runPsql({ source, destination, read, write }: NativeCopy): Promise<void> {
  // Passwords travel in the environment: a command line is there for all to read.
  const shell = spawn(
    'sh',
    ['-c', `${psqlCommand(source, 'A')} | ${psqlCommand(destination, 'B')}`],
    {
      env: {
        ...process.env,
        PASSWORD_A: source.password,
        PASSWORD_B: destination.password,
        READ: read,
        WRITE: write,
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const [code] = (await once(shell, 'exit')) as [number | null];
  if (code !== 0) throw new Failure('bug', `The psql pipe ended with code ${code}.`);
}

function psqlCommand(login: Login, side: 'A' | 'B'): string {
  const statement = side === 'A' ? '"$READ"' : '"$WRITE"';
  const where = `-h ${login.host} -p ${login.port} -U ${login.user} -d ${login.database}`;
  return `PGPASSWORD="$PASSWORD_${side}" psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 ${where} -c ${statement}`;
}

async function runStreams({ source, destination, read, write }: NativeCopy): Promise<void> {
  const clients = [new pg.Client({ ...source }), new pg.Client({ ...destination })] as const;
  try {
    await Promise.all(clients.map((client) => client.connect()));
    await pipeline(clients[0].query(copyTo(read)), clients[1].query(copyFrom(write)));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}
