import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseModel } from '../api/model-object.ts';
import type { ModelPlan } from '../api/model-plan.ts';
import { Failure, toFailure, type Violation } from '../domain/failure.ts';
import { noHistory } from '../domain/model-history.ts';
import { checkModel } from '../domain/model-rules.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { Proposal } from '../domain/propose-model.ts';
import { readObject, type NamedObject } from './model-files.ts';
import { planLines } from './model-plan-lines.ts';
import { modelText } from './model-text.ts';
import { print } from './print-result.ts';

interface Options {
  readonly host?: string;
  readonly key?: string;
  readonly json?: boolean;
}

interface Server {
  readonly host: string;
  readonly key: string;
}

/** What is said of one file. */
interface Verdict {
  readonly file: string;
  readonly name: string;
  readonly outcome: string;
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  /** What publishing it would change, where that was asked. */
  readonly plan?: ModelPlan;
}

type Judge = (object: NamedObject) => Promise<Omit<Verdict, 'file' | 'name'>>;

/** `waybill model …` and `waybill product …`: files in step with a Waybill, from a desk or from CI. */
export function addModelCommands(program: Command): void {
  const model = program.command('model').description('Model files: JSON5 or YAML, wrapped or bare');
  withServer(model.command('validate <files...>'))
    .description('Checks files by form; with --host and --key against their sources too')
    .action(async (files: string[], options: Options) => {
      const server = serverOf(options);
      const judge = server === undefined ? checkForm : remoteCheck(server);
      await report(files, 'model', { judge, json: options.json });
    });
  withServer(model.command('apply <files...>'))
    .description('Creates or replaces each model under its name')
    .action((files: string[], options: Options) =>
      report(files, 'model', { judge: put(needServer(options), '/models'), json: options.json }),
    );
  withServer(model.command('diff <files...>'))
    .description('Says what publishing each file would change, and at which destinations')
    .action((files: string[], options: Options) =>
      report(files, 'model', { judge: planRemote(needServer(options)), json: options.json }),
    );
  withServer(model.command('infer'))
    .description('Prints a model file for a table of a source, to be looked through')
    .requiredOption('--table <name>', 'the table, as SCHEMA.TABLE')
    .option('--source <name>', 'the name of the source, where there are several')
    .action(infer);
  const product = program.command('product').description('Product files, of the same forms');
  withServer(product.command('apply <files...>'))
    .description('Creates or replaces each product under its name')
    .action((files: string[], options: Options) =>
      report(files, 'product', {
        judge: put(needServer(options), '/products'),
        json: options.json,
      }),
    );
}

function withServer(command: Command): Command {
  return command
    .addOption(new Option('--host <url>', 'where the API is').env('WAYBILL_HOST').argParser(toUrl))
    .addOption(new Option('--key <key>', 'an API key').env('WAYBILL_API_KEY'))
    .option('--json', 'prints an array of objects, one for each file');
}

function toUrl(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('It must be a URL like https://waybill.example.com.');
}

function serverOf({ host, key }: Options): Server | undefined {
  if (host === undefined) return undefined;
  if (key !== undefined) return { host, key };
  throw new Failure('invalid', 'A host needs a key too: give --key, or set WAYBILL_API_KEY.');
}

function needServer(options: Options): Server {
  const server = serverOf(options);
  if (server !== undefined) return server;
  throw new Failure('invalid', 'This needs a Waybill: give --host and --key.');
}

/** All files are looked at, whatever is wrong with one of them; any error makes the exit code 1. */
async function report(
  files: readonly string[],
  kind: 'model' | 'product',
  { judge, json }: { judge: Judge; json: boolean | undefined },
): Promise<void> {
  const verdicts: Verdict[] = [];
  for (const file of files) verdicts.push(await judgeFile(file, kind, judge));
  if (verdicts.some(({ errors }) => errors.length > 0)) process.exitCode = 1;
  print(json, verdicts, verdicts.map(describe).join('\n'));
}

async function judgeFile(file: string, kind: 'model' | 'product', judge: Judge): Promise<Verdict> {
  try {
    const object = await readObject(file, kind);
    return { file, name: object.name, ...(await judge(object)) };
  } catch (error) {
    const failure = toFailure(error);
    if (failure.kind !== 'invalid') throw error;
    const alone = [{ path: '', code: 'invalid', message: failure.message }];
    const errors = failure.violations.length > 0 ? failure.violations : alone;
    return { file, name: '', outcome: 'refused', errors, warnings: [] };
  }
}

const checkForm: Judge = async ({ object }) => {
  const model = parseModel(object);
  const { violations, warnings } = checkModel(model, {
    environment: 'prod',
    sources: [sourceAsNamed(model)],
    otherTables: [],
    history: noHistory,
    multiTenant: true,
  });
  return { outcome: violations.length > 0 ? 'refused' : 'sound', errors: violations, warnings };
};

/** Without a Waybill nobody knows the sources: whatever the file names is taken to be there. */
function sourceAsNamed(model: ModelDefinition) {
  return { id: model.source_id ?? 'unknown', name: model.source_name ?? 'unknown' };
}

function remoteCheck(server: Server): Judge {
  return async ({ object }) => {
    const answer = await ask(server, { method: 'POST', path: '/actions/validate-config', object });
    const { errors = [], warnings = [] } = answer.data as Partial<Verdict>;
    return { outcome: errors.length > 0 ? 'refused' : 'sound', errors, warnings };
  };
}

function put(server: Server, path: '/models' | '/products'): Judge {
  return async ({ name, object }) => {
    const place = `${path}/${encodeURIComponent(name)}`;
    const answer = await ask(server, { method: 'PUT', path: place, object });
    const { warnings = [] } = answer.data as Partial<Verdict>;
    return { outcome: answer.message, errors: [], warnings };
  };
}

function planRemote(server: Server): Judge {
  return async ({ object }) => {
    const answer = await ask(server, { method: 'POST', path: '/actions/plan-model', object });
    const plan = answer.data as ModelPlan;
    const { errors, warnings, change } = plan;
    return { outcome: errors.length > 0 ? 'refused' : outcomes[change], errors, warnings, plan };
  };
}

const outcomes = { create: 'new', update: 'changes', none: 'unchanged' } as const;

async function infer(options: Options & { table: string; source?: string }): Promise<void> {
  const object = {
    source_table: options.table,
    ...(options.source !== undefined && { source_name: options.source }),
  };
  const asked = { method: 'POST', path: '/actions/infer-model', object };
  const { data } = await ask(needServer(options), asked);
  print(options.json, data, modelText(data as Proposal).trimEnd());
}

interface Answer {
  readonly data: unknown;
  readonly message: string;
}

/** @throws Failure `invalid` with what the API says against it */
async function ask(
  { host, key }: Server,
  { method, path, object }: { method: string; path: string; object: object },
): Promise<Answer> {
  const response = await fetch(`${host}${path}`, {
    method,
    headers: { 'X-API-KEY': key },
    body: JSON.stringify(object),
  }).catch((cause: unknown) => {
    throw new Failure('unavailable', `No answer came from ${host}.`, { cause });
  });
  const answer = (await response.json()) as Answer & { errors?: Violation[] };
  if (response.ok) return answer;
  throw new Failure('invalid', answer.message, { violations: answer.errors });
}

function describe({ file, name, outcome, errors, warnings, plan }: Verdict): string {
  const lines = [
    `${file}: ${name === '' ? '' : `${name}: `}${outcome}`,
    ...(plan === undefined ? [] : planLines(plan)),
    ...errors.map(({ path, code, message }) => `  ${path} ${message} (${code})`),
    ...warnings.map(({ path, code, message }) => `  warning: ${path} ${message} (${code})`),
  ];
  return lines.join('\n');
}
