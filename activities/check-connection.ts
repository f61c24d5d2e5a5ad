import type { Finding } from '../connectors/connector.ts';
import { ringDeliveries } from '../db/notices.ts';
import { finishProbe, getProbe } from '../db/probes.ts';
import { recordTestTrace } from '../db/traces.ts';
import {
  driverTextOf,
  errorTitles,
  Failure,
  toErrorObject,
  toFailure,
  withDriverText,
  type ErrorCode,
  type ErrorObject,
} from '../domain/failure.ts';
import type { ConnectionReport, ProbeRef } from '../domain/probe.ts';
import type { StepDeps } from './deps.ts';
import { openDestination, openSource } from './ends.ts';

/** Tries a stored or unsaved connection and keeps what it found with the probe; the first result stays. */
export async function checkConnection(
  deps: StepDeps,
  { probeId, environment, kind }: ProbeRef,
): Promise<void> {
  const probe = await getProbe(deps.db, { environment, id: probeId });
  const findings = await look(deps, { connectionId: probe.connectionId, kind });
  const failed = findings.find(({ status }) => status === 'error');
  const report: ConnectionReport = {
    kind: 'connection',
    findings,
    error: failed === undefined ? null : errorOf(kind, failed),
  };
  const trace = failed && driverTextOf(failed);
  await deps.db.transaction(async (tx) => {
    const isFirst = await finishProbe(tx, { environment, id: probeId, result: report });
    if (!isFirst || failed === undefined || trace === undefined) return;
    const code = failed.code ?? 'CONN';
    await recordTestTrace(tx, deps.sealer, { probe, code, trace });
  });
  if (trace !== undefined) await ringForTraces(deps);
}

/** A trace that could not be rung for waits for `reconcile`; the answer of the test does not. */
async function ringForTraces({ db, workflows, log }: StepDeps): Promise<void> {
  await ringDeliveries(db, (lane) => workflows.ringNotices(lane)).catch(() => {
    log.warn('a notice could not be rung for; reconcile will do it');
  });
}

async function look(
  deps: StepDeps,
  { connectionId, kind }: { connectionId: string; kind: ProbeRef['kind'] },
): Promise<Finding[]> {
  try {
    await using end =
      kind === 'source'
        ? await openSource(deps, { sourceConnectionId: connectionId })
        : await openDestination(deps, connectionId);
    return await end.check();
  } catch (error) {
    const failure = toFailure(error);
    const name = errorTitles[failure.code];
    const { code, message } = failure;
    const finding = { name, status: 'error' as const, message, fix: failure.policy.remedy, code };
    return [withDriverText(finding, driverTextOf(failure))];
  }
}

/** In the words of the API, with the blame and the remedy of the side that was tried. */
function errorOf(kind: ProbeRef['kind'], { code = 'CONN', message, name }: Finding): ErrorObject {
  const side = kind === 'source' ? 'source' : 'destination';
  const reason = unreachable.has(code) ? 'unreachable' : 'denied';
  return toErrorObject(new Failure(`${side}_${reason}`, message, { code, detail: name }));
}

const unreachable: ReadonlySet<ErrorCode> = new Set(['HOST', 'CONN', 'TLSX']);
