import type { Destination, Source } from '../connectors/connector.ts';
import { openConnection } from '../db/connections.ts';
import { Failure } from '../domain/failure.ts';
import type { ActivityDeps } from './deps.ts';

type EndsDeps = Pick<ActivityDeps, 'db' | 'sealer' | 'connectors' | 'reach'>;

export interface SourceEnd {
  /** How long rows may still appear below the watermark, in seconds, by kind of source. */
  readonly lookbackSeconds: number;
  readonly open: () => Promise<Source>;
}

/** A connection to a source, with its secrets unsealed for this call. */
export async function sourceEnd(deps: EndsDeps, connectionId: string): Promise<SourceEnd> {
  const { vendor, settings } = await openConnection(deps.db, deps.sealer, connectionId);
  const role = (await deps.connectors.get(vendor)?.load())?.source;
  if (role === undefined) {
    throw new Failure('config_invalid', `This Waybill has no source connector for ${vendor}.`);
  }
  return { lookbackSeconds: role.lookbackSeconds, open: () => role.open(settings, deps.reach) };
}

/** Logs in to a source. */
export async function openSource(deps: EndsDeps, connectionId: string): Promise<Source> {
  return (await sourceEnd(deps, connectionId)).open();
}

/** Logs in to a destination. */
export async function openDestination(deps: EndsDeps, connectionId: string): Promise<Destination> {
  const { vendor, settings } = await openConnection(deps.db, deps.sealer, connectionId);
  const role = (await deps.connectors.get(vendor)?.load())?.destination;
  if (role === undefined) {
    throw new Failure('config_invalid', `This Waybill has no destination connector for ${vendor}.`);
  }
  return role.open(settings, deps.reach);
}
