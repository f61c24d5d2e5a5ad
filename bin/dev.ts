import { copyEnvironment } from '../config.ts';
import { Failure } from '../domain/failure.ts';
import { devHelp, parseDevOptions, type DevOptions } from './dev-options.ts';
import { renderLogLine } from './log-line.ts';
import { startSystem, type System } from './system.ts';

// `npm run dev`: a whole Waybill on this machine, until Ctrl-C or SIGTERM.

// Whoever reads our output may go away first; that must not keep us from stopping our children.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

const print = (line: string) => void process.stdout.write(`${line}\n`);
const say = (line: string) => print(`${new Date().toTimeString().slice(0, 8)} waybill  ${line}`);

try {
  const options = parseDevOptions(process.argv.slice(2));
  if (options === undefined) print(devHelp);
  else await run(options);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function run(options: DevOptions): Promise<void> {
  const stopping = stopOnSignal();
  try {
    const system = await startSystem({
      ...options,
      env: copyEnvironment(),
      say,
      onLog: (role, line) => print(renderLogLine(role, line)),
      signal: stopping.signal,
    });
    print(welcome(system));
    await stopping.asked;
    say('Stopping; the worker hands back what it is doing (half a minute at most) …');
    await system.stop();
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  }
  say('Stopped.');
}

/** A second signal changes nothing: everything below is bounded, and one Ctrl-C can arrive twice. */
function stopOnSignal(): { signal: AbortSignal; asked: Promise<void> } {
  const controller = new AbortController();
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        controller.abort(new Failure('cancelled', `Stopped by ${signal}.`));
        resolve();
      });
    }
  });
  return { signal: controller.signal, asked };
}

function welcome(system: System): string {
  return `
Waybill is running. Ctrl-C stops it; what is in it stays.

  API               ${system.apiUrl}
  API reference     ${system.apiUrl}/docs
  Temporal          ${system.temporalUiUrl}   (${system.temporalAddress})
  Database          ${system.databaseUrl}

  API key, prod     ${system.apiKey}
  API key, staging  ${system.stagingApiKey}

  The same, for programs: ${system.infoFile}
`;
}
