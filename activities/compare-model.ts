import type { ComparedRows, Destination, Removal } from '../connectors/connector.ts';
import {
  getComparisonRun,
  keepComparison,
  recordComparison,
  type ComparisonRun,
} from '../db/integrity-runs.ts';
import { Failure } from '../domain/failure.ts';
import {
  differenceOf,
  differences,
  keyText,
  narrow,
  nextWindows,
  shareOf,
  suspects,
  type ComparedRow,
  type Comparison,
  type ComparisonResult,
  type Difference,
  type Partition,
} from '../domain/integrity.ts';
import type { LoadRecord, Window } from '../domain/load.ts';
import { loadIdentityOf } from '../domain/load-identity.ts';
import { sharedTableOf, type SharedTable } from '../domain/model.ts';
import { tableForRead, wholeRead } from '../domain/source-query.ts';
import type { IntegrityModelRef } from '../domain/steps.ts';
import { must } from '../lib/must.ts';
import type { StepDeps } from './deps.ts';
import { openDestination, openSource } from './ends.ts';
import { ownerOf } from './load-plan.ts';

/** So many rows of the partitions that differ are compared one by one, of more only a share. */
const rowsMax = 200_000;
/** Keys that are looked up in one statement. */
const keysAtOnce = 1000;

/**
 * Holds one model at its destination against its source. How far it has come is kept after each level, so
 * another attempt goes on there; the result counts once. Rows that the source does not have are removed where
 * the job says so, and only as they were seen.
 */
export async function compareModel(deps: StepDeps, ref: IntegrityModelRef): Promise<void> {
  const run = await getComparisonRun(deps.db, ref);
  if (run.status === 'SUCCESS') return;
  await using source = await openSource(deps, run);
  await using destination = await openDestination(deps, run.destinationConnectionId);
  const { record, table } = await landedOf(run, destination);
  const read = tableForRead(table, { tenantId: run.tenantId, ...wholeRead });
  const tenant = { column: table.tenantColumn, id: run.tenantId };
  const ends = {
    source: await source.compare?.(read, tenant),
    destination: await destination.compare?.(table),
  };
  if (ends.source === undefined || ends.destination === undefined) {
    const sentence = 'One of the two ends cannot hash rows by itself, so they cannot be compared.';
    throw new Failure('type_unsupported', sentence);
  }
  const sides = { source: ends.source, destination: ends.destination };
  const work = { deps, run, record, table, destination, sides };
  const { leaves } = await partition(work);
  await recordComparison(deps.db, ref, await compareRows(work, leaves));
}

interface Work {
  readonly deps: StepDeps;
  readonly run: ComparisonRun;
  readonly record: LoadRecord;
  /** With the columns that have landed. */
  readonly table: SharedTable;
  readonly destination: Destination;
  readonly sides: { readonly source: ComparedRows; readonly destination: ComparedRows };
}

/** @throws Failure where what is there is no copy of what the model reads now */
async function landedOf(run: ComparisonRun, destination: Destination) {
  const model = sharedTableOf(run.definition);
  const record = await destination.recall(run.modelId);
  const live = await destination.describe(model.destinationTable);
  const applied = record?.appliedTable;
  if (record?.loadIdentity === undefined || applied === undefined || live === undefined) {
    const sentence = `Nothing of ${run.modelName} has landed there yet. Run a transfer first.`;
    throw new Failure('conflict', sentence);
  }
  const { sourceId, tenantId } = run;
  const isSame = record.loadIdentity === loadIdentityOf({ sourceId, table: model, tenantId });
  if (!isSame || record.owner !== ownerOf(run)) {
    const sentence = `What is there of ${run.modelName} is a copy of something else. Run a transfer first.`;
    throw new Failure('conflict', sentence);
  }
  const hasLanded = new Set(applied.columns.map(({ name }) => name));
  const columns = model.columns.filter(({ nameInDestination }) => hasLanded.has(nameInDestination));
  return { record, table: { ...model, columns } };
}

/** Both ends hash their rows in windows, and those that differ are cut until they are small. */
async function partition({ deps, run, sides }: Work): Promise<Comparison> {
  let comparison = run.comparison;
  let windows: readonly Window[] = [run.window];
  while (comparison === undefined || comparison.open.length > 0) {
    if (comparison !== undefined) windows = nextWindows(comparison);
    const [source, destination] = await Promise.all([
      sides.source.digest(windows, deps.signal),
      sides.destination.digest(windows, deps.signal),
    ]);
    const asked = windows.map((window, index) => ({
      window,
      source: must(source[index], 'a digest of the source'),
      destination: must(destination[index], 'a digest of the destination'),
    }));
    comparison = narrow(comparison ?? { open: [], leaves: [], level: 0 }, asked);
    await keepComparison(deps.db, run, comparison);
    deps.beat({ level: comparison.level, open: comparison.open.length });
  }
  return comparison;
}

async function compareRows(work: Work, leaves: readonly Partition[]): Promise<ComparisonResult> {
  const { deps, run, sides } = work;
  const share = shareOf(leaves, rowsMax);
  const windows = leaves.map(({ window }) => window);
  const isAny = windows.length > 0;
  const [source, destination] = await Promise.all([
    isAny ? sides.source.list({ windows, share }, deps.signal) : [],
    isAny ? sides.destination.list({ windows, share }, deps.signal) : [],
  ]);
  const listed = new Set([...source, ...destination].map(({ key }) => keyText(key)));
  const samples = run.sampleKeys.map((key) => [key]).filter((key) => !listed.has(keyText(key)));
  const keys = [...suspects(source, destination), ...samples];
  const counts = Object.fromEntries(differences.map((one) => [one, 0])) as Record<
    Difference,
    number
  >;
  let rowsRemoved = 0;
  for (let from = 0; from < keys.length; from += keysAtOnce) {
    const judged = await judge(work, keys.slice(from, from + keysAtOnce));
    for (const { difference } of judged) counts[difference] += 1;
    if (run.removesOrphans) rowsRemoved += await removeOrphans(work, judged);
    deps.beat({ compared: from + keysAtOnce, removed: rowsRemoved });
  }
  const rowsCompared = listed.size + samples.length;
  return { samplingRate: 1 / share, rowsCompared, counts, rowsRemoved, partitions: leaves };
}

interface Judged {
  readonly difference: Difference;
  readonly destination: ComparedRow | undefined;
}

/**
 * The lists of both ends were read at different times and only name the keys. The destination is asked first:
 * what the source says after it, and had committed before the last load, had landed.
 */
async function judge(
  { deps, run, record, sides }: Work,
  keys: readonly (readonly string[])[],
): Promise<Judged[]> {
  // Where the source is sure of late commits, nothing below its fence is to come.
  const landedBelow = run.isCommitSafe ? record.fence : record.watermark;
  const there = byKey(await sides.destination.find(keys, deps.signal));
  const here = byKey(await sides.source.find(keys, deps.signal));
  return keys.flatMap((key): Judged[] => {
    const [source, destination] = [here, there].map((rows) => rows.get(keyText(key)));
    const difference = differenceOf({ source, destination }, landedBelow);
    return difference === undefined ? [] : [{ difference, destination }];
  });
}

function byKey(rows: readonly ComparedRow[]): Map<string, ComparedRow> {
  return new Map(rows.map((row) => [keyText(row.key), row]));
}

async function removeOrphans(work: Work, judged: readonly Judged[]): Promise<number> {
  const { deps, run, record, table, destination } = work;
  const rows = judged.flatMap((one) =>
    one.difference === 'orphaned' && one.destination !== undefined ? [one.destination] : [],
  );
  if (rows.length === 0) return 0;
  const { modelId } = run;
  const removal: Removal = { modelId, owner: ownerOf(run), epoch: record.epoch, table, rows };
  return (await destination.remove?.(removal, deps.signal)) ?? 0;
}
