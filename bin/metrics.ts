import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type IMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { Meter } from '@opentelemetry/api';
import type { Database } from '../db/database.ts';
import { listLags, readFigures, type QueueFigures } from '../db/freshness.ts';
import { silentMetrics, type Metrics } from '../domain/metrics.ts';

/** Where figures go. Nothing is counted while both are undefined. */
export interface MetricsTarget {
  readonly host: string;
  /** Prometheus reads `/metrics` there; 0 takes a free one. */
  readonly port: number | undefined;
  /** OTLP over HTTP, the full URL. */
  readonly otlpUrl: string | undefined;
}

export interface RunningMetrics extends AsyncDisposable {
  readonly metrics: Metrics;
  /** Where Prometheus reads, or nothing. */
  readonly port: number | undefined;
}

/** Destinations whose lag is told: above it Prometheus would hold more series than it is good for. */
const lagsMax = 10_000;

/** Counts what this process does, and with `db` tells what stands in our tables whenever it is asked. */
export async function startMetrics(
  target: MetricsTarget,
  from: { readonly db?: Database } = {},
): Promise<RunningMetrics> {
  const readers: IMetricReader[] = [];
  const prometheus =
    target.port === undefined
      ? undefined
      : new PrometheusExporter({ host: target.host, port: target.port, preventServerStart: true });
  if (prometheus !== undefined) {
    await prometheus.startServer();
    readers.push(prometheus);
  }
  if (target.otlpUrl !== undefined) {
    const exporter = new OTLPMetricExporter({ url: target.otlpUrl });
    readers.push(new PeriodicExportingMetricReader({ exporter }));
  }
  if (readers.length === 0) {
    return {
      metrics: silentMetrics,
      port: undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const provider = new MeterProvider({ readers });
  const meter = provider.getMeter('waybill');
  if (from.db !== undefined) observeTables(meter, from.db);
  return {
    metrics: createMetrics(meter),
    port: target.port,
    [Symbol.asyncDispose]: () => provider.shutdown(),
  };
}

function createMetrics(meter: Meter): Metrics {
  const rows = meter.createCounter('waybill_rows', {
    description: 'Rows made durable at destinations',
  });
  const bytes = meter.createCounter('waybill_bytes', {
    description: 'Bytes of those rows as they travelled',
  });
  const batches = meter.createCounter('waybill_batches', { description: 'Batches committed' });
  const steps = meter.createHistogram('waybill_step_seconds', {
    description: 'How long an attempt of a step took',
    advice: { explicitBucketBoundaries: [0.01, 0.05, 0.25, 1, 5, 30, 120, 600, 3600] },
  });
  const failures = meter.createCounter('waybill_failures', {
    description: 'Failed attempts by kind',
  });
  const transfers = meter.createCounter('waybill_transfers', {
    description: 'Transfers that ended',
  });
  const notices = meter.createCounter('waybill_notices', {
    description: 'Attempts to tell a webhook',
  });
  return {
    moved(counts) {
      rows.add(counts.rows);
      bytes.add(counts.bytes);
      batches.add(counts.batches);
    },
    stepEnded: (step, outcome, seconds) => steps.record(seconds, { step, outcome }),
    stepFailed: (step, kind) => failures.add(1, { step, kind }),
    transferEnded: (status) => transfers.add(1, { status }),
    noticeSent: (outcome) => notices.add(1, { outcome }),
  };
}

const figures: readonly (readonly [string, string, keyof QueueFigures])[] = [
  ['waybill_transfers_waiting', 'Transfers that wait for a slot', 'waiting'],
  ['waybill_transfers_running', 'Transfers that run', 'running'],
  ['waybill_oldest_wait_seconds', 'How long the oldest transfer has waited', 'oldestWaitSeconds'],
  [
    'waybill_stale_destinations',
    'Destinations that failed ten times in a row',
    'staleDestinations',
  ],
  ['waybill_deliveries_open', 'Notices that no webhook has taken yet', 'openDeliveries'],
];

function observeTables(meter: Meter, db: Database): void {
  const gauges = figures.map(([name, description, field]) => ({
    gauge: meter.createObservableGauge(name, { description }),
    field,
  }));
  const lag = meter.createObservableGauge('waybill_lag_seconds', {
    description: 'How far the oldest copy of a destination is behind its source',
  });
  meter.addBatchObservableCallback(
    async (result) => {
      const now = await readFigures(db);
      for (const { gauge, field } of gauges) result.observe(gauge, now[field]);
      for (const { destinationId, seconds } of await listLags(db, lagsMax)) {
        result.observe(lag, seconds, { destination_id: destinationId });
      }
    },
    [...gauges.map(({ gauge }) => gauge), lag],
  );
}
