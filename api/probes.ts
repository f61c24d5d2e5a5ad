import type { Context } from 'hono';
import type { ConnectionChange, ConnectionInput, ConnectionRole } from '../db/connections.ts';
import { insertConnection, reviseConnection } from '../db/connections.ts';
import { discardProbe, getProbe, insertProbe, probeExpiry } from '../db/probes.ts';
import { Failure } from '../domain/failure.ts';
import type { ModelDefinition } from '../domain/model.ts';
import type { ConnectionReport, ModelReport, ProbeRef, TableReport } from '../domain/probe.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { AppEnv } from './deps.ts';

/** What is to be tried: a stored connection, one with changes laid on it, or a new one. */
export type Tried = (
  | { readonly stored: string }
  | { readonly changed: ConnectionChange }
  | { readonly fresh: ConnectionInput }
) & {
  /** The source or destination that it is of, where that is saved. */
  readonly testedId?: string;
};

/** Has a worker try a connection. @throws Failure `unavailable` where none answers; nothing is kept. */
export async function probeConnection(
  c: Context<AppEnv>,
  role: ConnectionRole,
  tried: Tried,
): Promise<ConnectionReport> {
  const connectionId = await placeConnection(c, role, tried);
  const input: JsonObject = tried.testedId === undefined ? {} : { tested_id: tried.testedId };
  const report = await runProbe(c, { kind: role, connectionId, input });
  return report as ConnectionReport;
}

/** Has a worker hold a model against its source. @throws Failure `unavailable` where none answers. */
export async function probeModel(
  c: Context<AppEnv>,
  asked: { connectionId: string; model: ModelDefinition; withPlan?: boolean | undefined },
): Promise<ModelReport> {
  const { connectionId, model, withPlan = false } = asked;
  const input = { model: JSON.parse(JSON.stringify(model)) as JsonObject, with_plan: withPlan };
  return (await runProbe(c, { kind: 'model', connectionId, input })) as ModelReport;
}

/** Has a worker describe a table of a source. @throws Failure `unavailable` where none answers. */
export async function probeTable(
  c: Context<AppEnv>,
  { connectionId, table }: { connectionId: string; table: string },
): Promise<TableReport> {
  return (await runProbe(c, { kind: 'model', connectionId, input: { table } })) as TableReport;
}

/** Temporal sees an id only: what is not saved travels as a sealed row that lapses in ten minutes. */
async function placeConnection(
  c: Context<AppEnv>,
  role: ConnectionRole,
  tried: Tried,
): Promise<string> {
  const { db } = c.get('deps');
  const placed = { environment: c.get('environment'), role, expiresAt: probeExpiry() };
  if ('stored' in tried) return tried.stored;
  return 'fresh' in tried
    ? await insertConnection(db, { ...tried.fresh, ...placed })
    : await reviseConnection(db, { ...tried.changed, ...placed });
}

interface Probe {
  readonly kind: ProbeRef['kind'];
  readonly connectionId: string;
  readonly input: JsonObject;
}

/** The worker's own result: what it stored with the probe, whose form `domain/probe.ts` holds. */
async function runProbe(c: Context<AppEnv>, probe: Probe): Promise<unknown> {
  const { db, workflows } = c.get('deps');
  const environment = c.get('environment');
  const id = await insertProbe(db, { environment, ...probe });
  try {
    await workflows.runProbe({ probeId: id, environment, kind: probe.kind });
    const { result } = await getProbe(db, { environment, id });
    if (result !== null) return result;
    throw new Failure(
      'unavailable',
      'The worker ended without a result. Look at its log, then try again.',
    );
  } finally {
    await discardProbe(db, { environment, id });
  }
}
