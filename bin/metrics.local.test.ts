import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createHttpReceiver } from '../test/harness/http-receiver.ts';
import { createMetadata, makeVendor, tester, type Metadata } from '../test/harness/metadata.ts';
import { modelStates } from '../db/schema.ts';
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
  const { destination, model } = await makeVendor(metadata.db);
  const currentAsOf = new Date(Date.now() - 100_000);
  const landed = { destinationId: destination.id, modelId: model.id, currentAsOf };
  await metadata.db.insert(modelStates).values(landed);
  const request = { environment: 'prod', trigger: 'manual', actor: tester } as const;
  await submitTransfer(metadata.db, { ...request, destinationId: destination.id });
  const text = await scrape();
  for (const line of [
    /^waybill_rows_total\S* 7$/m,
    /^waybill_bytes_total\S* 700$/m,
    /^waybill_failures_total\{.*kind="source_unreachable".*\} 1$/m,
    /^waybill_transfers_total\{.*status="SUCCESS".*\} 1$/m,
    /^waybill_transfers_waiting\S* 1$/m,
    /^waybill_lag_seconds\{destination_id="[^"]+".*\} 10\d/m,
    /^waybill_step_seconds_bucket\{.*le="0.25".*\} 1$/m,
  ]) {
    expect(text).toMatch(line);
  }
});

test('the dashboard and the alerts name only figures that there are', async () => {
  const { metrics } = running;
  metrics.moved({ rows: 1, bytes: 1, batches: 1 });
  const told = new Set((await scrape()).match(/^waybill_\w+/gm));
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

test('the page of monitoring names every figure that there is, and no other', async () => {
  const page = await readFile(path.join(projectRoot, 'docs', 'monitoring.md'), 'utf8');
  const named = new Set(page.match(/\bwaybill_\w+/g));
  const told = new Set(((await scrape()).match(/^# HELP waybill_\w+/gm) ?? []).map(nameOf));
  expect([...named].toSorted()).toEqual([...told].toSorted());
});

const nameOf = (line: string) => line.replace('# HELP ', '');

// Not an OpenTelemetry collector: a receiver of ours that keeps what it is posted.
test('the same figures are posted as OTLP over HTTP to where the operator says', async () => {
  await using collector = await createHttpReceiver();
  const otlpUrl = `http://127.0.0.1:${collector.port}/v1/metrics`;
  const sending = await startMetrics(
    { host: '127.0.0.1', port: undefined, otlpUrl },
    { db: metadata.db },
  );
  sending.metrics.moved({ rows: 7, bytes: 700, batches: 1 });
  sending.metrics.transferEnded('SUCCESS');
  // What has been counted is sent before the process ends, not at the next minute.
  await sending[Symbol.asyncDispose]();
  const [post] = collector.received;
  expect(post).toMatchObject({ method: 'POST', url: '/v1/metrics' });
  expect(post?.headers['content-type']).toBe('application/json');
  const { resourceMetrics } = JSON.parse(post?.body ?? '') as OtlpBody;
  const told = resourceMetrics.flatMap((one) => one.scopeMetrics.flatMap(({ metrics }) => metrics));
  expect(told.map(({ name }) => name)).toContain('waybill_transfers_waiting');
  expect(told.find(({ name }) => name === 'waybill_rows')).toMatchObject({
    sum: { isMonotonic: true, dataPoints: [{ asDouble: 7 }] },
  });
  expect(told.find(({ name }) => name === 'waybill_transfers')).toMatchObject({
    sum: { dataPoints: [{ attributes: [{ key: 'status', value: { stringValue: 'SUCCESS' } }] }] },
  });
});

interface OtlpBody {
  readonly resourceMetrics: { scopeMetrics: { metrics: { name: string }[] }[] }[];
}

test('without a port and a URL nothing is counted and nothing listens', async () => {
  const off = await startMetrics({ host: '127.0.0.1', port: undefined, otlpUrl: undefined });
  off.metrics.transferEnded('SUCCESS');
  expect(off.port).toBeUndefined();
  await off[Symbol.asyncDispose]();
});
