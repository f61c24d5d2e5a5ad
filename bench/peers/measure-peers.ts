import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import { loadNative } from '../first-load.ts';
import { measureNative, type Cost } from '../measure.ts';
import { measured, type Outcome, type PeerResult } from '../report.ts';
import { orders } from '../source-rows.ts';
import type { Workbench } from '../workbench.ts';
import type { Peer, PeerProgram } from './peer.ts';
import { postgresPeers } from './postgres-peers.ts';
import { pythonPeers } from './python-peers.ts';
import { runProgram } from './run-program.ts';

const runTimeoutMs = 3_600_000;
const reasonCharsMax = 400;

/**
 * A full load of the main table by each peer, once, beside a native run: the text COPY pipe into the keyed
 * table, which is what most of them do inside.
 */
export async function measurePeers(bench: Workbench): Promise<PeerResult[]> {
  const results: PeerResult[] = [];
  for (const peer of [...postgresPeers, ...pythonPeers]) {
    if (bench.signal.aborted) break;
    bench.say(`${peer.name}: a full load …`);
    results.push(await measurePeer(bench, peer));
  }
  return results;
}

async function measurePeer(bench: Workbench, peer: Peer): Promise<PeerResult> {
  const program = await peer.prepare(bench.signal).catch(reasonOf);
  if (typeof program === 'string') {
    return { peer: peer.name, outcome: { kind: 'not run', reason: program } };
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'waybill-bench-'));
  const schema = 'peer';
  try {
    await bench.destinationClient.query(/*sql*/ `create schema ${schema}`);
    const native = await loadNative(bench, 'text, keyed');
    const { source, destination, signal } = bench;
    const run = program({ source, destination, schema, folder, signal });
    return { peer: peer.name, ...(await load(bench, run, { peer, native })) };
  } catch (error) {
    return { peer: peer.name, outcome: { kind: 'failed', reason: reasonOf(error) } };
  } finally {
    await bench.destinationClient
      .query(/*sql*/ `drop schema if exists ${schema} cascade; drop table if exists public.orders`)
      .catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

interface Loading {
  readonly peer: Peer;
  readonly native: Cost;
}

async function load(
  bench: Workbench,
  program: PeerProgram,
  { peer, native }: Loading,
): Promise<{ outcome: Outcome; remark: string }> {
  let peakMb: number | undefined;
  const cost = await measureNative(bench, async () => {
    const limits = { signal: bench.signal, timeoutMs: runTimeoutMs };
    ({ peakMb } = await runProgram({ ...program, ...limits }));
  });
  const differing = await findDifferingColumns(bench, program.table);
  const exact = differing.length === 0 ? 'values equal' : `differ: ${differing.join(', ')}`;
  const remark = [exact, peer.remark].filter((part) => part !== undefined).join('; ');
  const numbers = {
    s: cost.seconds,
    'native, s': native.seconds,
    'rows/s': bench.rows / cost.seconds,
    'memory at its peak, MB': peakMb,
  };
  return { outcome: measured(cost.seconds / native.seconds, numbers), remark };
}

/** Columns of which any value prints other than at the source. @throws when rows are missing or doubled */
async function findDifferingColumns(bench: Workbench, table: string): Promise<string[]> {
  const [source, copy] = await Promise.all([
    hashColumns(bench.sourceClient, `public.${orders.name}`),
    hashColumns(bench.destinationClient, table),
  ]);
  if (source['rows'] !== copy['rows']) return [`rows (${copy['rows']} of ${source['rows']})`];
  return orders.columns.map(({ name }) => name).filter((name) => source[name] !== copy[name]);
}

/** A sum of hashes does not depend on the order of the rows, and takes no memory. */
async function hashColumns(client: pg.Client, table: string): Promise<Record<string, string>> {
  await client.query(/*sql*/ `set timezone to 'UTC'; set extra_float_digits to 3`);
  const hashes = orders.columns.map(
    ({ name }) =>
      `sum(hashtextextended(points::text || ':' || coalesce(${name}::text, '\\N'), 0)::numeric)::text as ${name}`,
  );
  const sql = /*sql*/ `select count(*)::text as rows, ${hashes.join(', ')} from ${table}`;
  const { rows } = await client.query<Record<string, string>>(sql);
  return rows[0] ?? {};
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // The end of what a program said is where it says why.
  return text.replaceAll(/[\s─│└┘┴]+/g, ' ').slice(-reasonCharsMax);
}
