import { loadConfig } from '../config.ts';
import { applyMigrations } from '../db/migrate.ts';
import { isDatabaseAway } from '../db/database.ts';
import { Failure, toFailure } from '../domain/failure.ts';

// Brings the tables of our own database up to this version. Any number of these may run at once.

try {
  const applied = await applyMigrations(loadConfig().databaseUrl);
  for (const name of applied) process.stdout.write(`applied ${name}\n`);
  if (applied.length === 0) process.stdout.write('nothing to apply: the database is up to date\n');
} catch (error) {
  const failure = isDatabaseAway(error)
    ? new Failure('unavailable', 'The database of WAYBILL_DATABASE_URL does not answer.')
    : toFailure(error);
  const cause =
    failure.kind === 'bug' && failure.cause instanceof Error ? ` ${failure.cause.message}` : '';
  process.stderr.write(`waybill migrate: ${failure.message}${cause}\n`);
  process.exitCode = 1;
}
