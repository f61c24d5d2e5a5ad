import { Failure } from '../../domain/failure.ts';
import { createRunFolder, removeRunFolder } from '../harness/run-folder.ts';
import { runCampaign } from './campaign.ts';
import { endWithUs } from './end-with-us.ts';
import { parseTortureOptions, rowsPerTable, tortureHelp, type TortureOptions } from './options.ts';
import { renderReport } from './report.ts';

// `npm run torture`: everything that can be killed, frozen or cut is, at instants that a seed decides.

const say = (line: string) => void process.stdout.write(`${line}\n`);

try {
  const options = parseTortureOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(tortureHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function run(options: TortureOptions): Promise<void> {
  const folder = await createRunFolder();
  endWithUs(folder);
  try {
    const rows = rowsPerTable(options.rows);
    const result = await runCampaign({ ...options, rows, folder, say });
    say(`\n${renderReport(result)}`);
    if (result.differences.length === 0) return;
    process.exitCode = 1;
    for (const difference of result.differences) say(`DIFFERENCE ${difference}`);
    say(`The same schedule again: ${replayCommand(options)}`);
  } finally {
    removeRunFolder(folder);
  }
}

function replayCommand({ faults, seed, faultsPerRound, rows }: TortureOptions): string {
  return (
    `npm run torture -- --faults ${faults} --seed ${seed} ` +
    `--faults-per-round ${faultsPerRound} --rows ${rows}`
  );
}
