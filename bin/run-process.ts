import { isDatabaseAway } from '../db/database.ts';
import { Failure, toFailure } from '../domain/failure.ts';

/** Runs a process of an installation. What ends it is said in one sentence; only a bug brings its stack. */
export async function runProcess(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const failure = isDatabaseAway(error)
      ? new Failure('unavailable', 'The database of WAYBILL_DATABASE_URL does not answer.')
      : toFailure(error);
    const cause =
      failure.kind === 'bug' && failure.cause instanceof Error ? `: ${failure.cause.stack}` : '';
    process.stderr.write(`waybill ${name}: ${failure.message}${cause}\n`);
    process.exitCode = 1;
  }
}
