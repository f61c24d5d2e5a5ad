import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { runCommand } from '../bin/run-command.ts';
import type { Login } from '../bin/demo-vendor.ts';
import { Failure } from '../domain/failure.ts';
import { tenantId, type Shape } from './source-rows.ts';

export interface NativeCopy {
  readonly source: Login;
  readonly destination: Login;
  /** The COPY of the source. */
  readonly read: string;
  /** What one session of the destination runs; one of them is the COPY that takes the rows. */
  readonly write: readonly string[];
}

/** A native way to bring rows over, and its name for the report. */
export interface NativePipe {
  readonly name: string;
  run(copy: NativeCopy): Promise<void>;
}

/** Two psql processes joined by a pipe where there is a psql, else two COPY streams in this process. */
export async function findNativePipe(): Promise<NativePipe> {
  const psql = await runCommand('psql', ['--version'], { timeoutMs: 5000 });
  if (psql.failed === undefined) return { name: `${psql.stdout.trim()}, COPY pipe`, run: runPsql };
  return { name: 'two COPY streams joined in Node (no psql on PATH)', run: runStreams };
}

export interface CopyPlan {
  readonly shape: Shape;
  readonly table: string;
  readonly format: 'binary' | 'text';
  /** Only rows for which this SQL holds. */
  readonly where?: string;
}

/** Both ends of a native copy of a table. */
export function copyStatements({ shape, table, format, where }: CopyPlan) {
  const selected = shape.columns.map((column) => column.selected).join(', ');
  const names = shape.columns.map((column) => column.name).join(', ');
  const only = where === undefined ? '' : ` and ${where}`;
  return {
    read: /*sql*/ `copy (select ${selected} from public.${shape.name}
      where tenant = '${tenantId}'${only}) to stdout (format ${format})`,
    write: /*sql*/ `copy ${table} (${names}) from stdin (format ${format})`,
  };
}

async function runPsql({ source, destination, read, write }: NativeCopy): Promise<void> {
  // Passwords travel in the environment: a command line is there for all to read.
  const writes = Object.fromEntries(write.map((statement, at) => [`WRITE_${at}`, statement]));
  const commands = [
    psqlCommand(source, { password: 'PASSWORD_A', statements: ['READ'] }),
    psqlCommand(destination, { password: 'PASSWORD_B', statements: Object.keys(writes) }),
  ];
  const passwords = { PASSWORD_A: source.password, PASSWORD_B: destination.password };
  const shell = spawn('sh', ['-c', commands.join(' | ')], {
    env: { ...process.env, ...passwords, ...writes, READ: read },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(shell, 'exit')) as [number | null];
  if (code !== 0) throw new Failure('bug', `The psql pipe ended with code ${code}.`);
}

/** What is named here are variables of the shell. */
function psqlCommand(login: Login, names: { password: string; statements: string[] }): string {
  const statements = names.statements.map((name) => `-c "$${name}"`).join(' ');
  const where = `-h ${login.host} -p ${login.port} -U ${login.user} -d ${login.database}`;
  return `PGPASSWORD="$${names.password}" psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 ${where} ${statements}`;
}

async function runStreams({ source, destination, read, write }: NativeCopy): Promise<void> {
  const clients = [new pg.Client({ ...source }), new pg.Client({ ...destination })] as const;
  try {
    await Promise.all(clients.map((client) => client.connect()));
    for (const statement of write) {
      if (!/ from stdin /.test(statement)) await clients[1].query(statement);
      else await pipeline(clients[0].query(copyTo(read)), clients[1].query(copyFrom(statement)));
    }
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}
