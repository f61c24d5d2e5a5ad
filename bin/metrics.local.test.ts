import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMetadata, makeVendor, tester, type Metadata } from '../test/harness/metadata.ts';
import { submitTransfer } from '../db/submit-transfer.ts';
import { findFreePort } from './free-port.ts';
import { startMetrics, type RunningMetrics } from './metrics.ts';
import { projectRoot } from './system-services.ts';

let metadata: Metadata;
let running: RunningMetrics;

beforeAll(async () => {
  metadata = await createMetadata();
  const port = await findFreePort();
  running = await startMetrics(
    { host: '127.0.0.1', port, otlpUrl: undefined },
    { db: metadata.db },
  );
});

afterAll(async () => {
  await running[Symbol.asyncDispose]();
  await metadata[Symbol.asyncDispose]();
});

async function scrape(): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${running.port}/metrics`)).text();
}

test('what a worker counts and what stands in our tables is told in the form of Prometheus', async () => {
  const { metrics } = running;
  metrics.moved({ rows: 7, bytes: 700, batches: 1 });
  metrics.stepEnded('copySlice', 'finished', 0.2);
  metrics.stepFailed('copySlice', 'source_unreachable');
  metrics.transferEnded('SUCCESS');
  metrics.noticeSent('delivered');
  const { destination } = await makeVendor(metadata.db);
  const request = { environment: 'prod', trigger: 'manual', actor: tester } as const;
  await submitTransfer(metadata.db, { ...request, destinationId: destination.id });
  const text = await scrape();
  for (const line of [
    /^waybill_rows_total\S* 7$/m,
    /^waybill_bytes_total\S* 700$/m,
    /^waybill_failures_total\{.*kind="source_unreachable".*\} 1$/m,
    /^waybill_transfers_total\{.*status="SUCCESS".*\} 1$/m,
    /^waybill_transfers_waiting\S* 1$/m,
    /^waybill_step_seconds_bucket\{.*le="0.25".*\} 1$/m,
  ]) {
    expect(text).toMatch(line);
  }
});

test('the dashboard and the alerts name only figures that there are', async () => {
  const { metrics } = running;
  metrics.moved({ rows: 1, bytes: 1, batches: 1 });
  const told = new Set((await scrape()).match(/^waybill_\w+/gm));
  // A lag needs a destination that something landed at.
  told.add('waybill_lag_seconds');
  const read = (name: string) => readFile(path.join(projectRoot, 'deploy', name), 'utf8');
  const dashboard = await read('grafana-dashboard.json');
  const alerts = await read('prometheus-alerts.yaml');
  expect(JSON.parse(dashboard)).toMatchObject({ title: 'Waybill' });
  const { groups } = parse(alerts) as { groups: { rules: { alert: string; expr: string }[] }[] };
  expect(groups[0]?.rules.every(({ alert, expr }) => alert !== '' && expr !== '')).toBe(true);
  const named = `${dashboard}\n${alerts}`.match(/\bwaybill_\w+/g) ?? [];
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !told.has(name))).toEqual([]);
});

test('without a port and a URL nothing is counted and nothing listens', async () => {
  const off = await startMetrics({ host: '127.0.0.1', port: undefined, otlpUrl: undefined });
  off.metrics.transferEnded('SUCCESS');
  expect(off.port).toBeUndefined();
  await off[Symbol.asyncDispose]();
});
