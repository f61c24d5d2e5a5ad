import { loadConfig } from '../config.ts';
import { applyMigrations } from '../db/migrate.ts';
import { runProcess } from './run-process.ts';

// Brings the tables of our own database up to this version. Any number of these may run at once.

await runProcess('migrate', async () => {
  const applied = await applyMigrations(loadConfig().databaseUrl);
  for (const name of applied) process.stdout.write(`applied ${name}\n`);
  if (applied.length === 0) process.stdout.write('nothing to apply: the database is up to date\n');
});
