import type { Destination, Source } from '../connectors/connector.ts';
import { openConnection } from '../db/connections.ts';
import { openSourceCredential } from '../db/source-credentials.ts';
import { Failure } from '../domain/failure.ts';
import { deepMerge } from '../lib/deep-merge.ts';
import type { ActivityDeps } from './deps.ts';

type EndsDeps = Pick<ActivityDeps, 'db' | 'sealer' | 'connectors' | 'reach'>;

export interface SourceEnd {
  /** How long rows may still appear below the watermark, in seconds, by kind of source. */
  readonly lookbackSeconds: number;
  readonly open: () => Promise<Source>;
}

/** Where a run reads: the source's connection, and the login that its recipient has there. */
export interface SourceRef {
  readonly sourceConnectionId: string;
  readonly sourceCredentialId?: string | undefined;
}

/** A connection to a source, with its secrets unsealed for this call. */
export async function sourceEnd(deps: EndsDeps, ref: SourceRef): Promise<SourceEnd> {
  const { vendor, settings } = await openSourceSettings(deps, ref);
  const role = (await deps.connectors.get(vendor)?.load())?.source;
  if (role === undefined) {
    throw new Failure('config_invalid', `This Waybill has no source connector for ${vendor}.`);
  }
  return { lookbackSeconds: role.lookbackSeconds, open: () => role.open(settings, deps.reach) };
}

async function openSourceSettings({ db, sealer }: EndsDeps, ref: SourceRef) {
  const { vendor, settings } = await openConnection(db, sealer, ref.sourceConnectionId);
  const { sourceCredentialId: id } = ref;
  const login = id === undefined ? {} : await openSourceCredential(db, sealer, id);
  return { vendor, settings: deepMerge(settings, login) };
}

/** Logs in to a source. */
export async function openSource(deps: EndsDeps, ref: SourceRef): Promise<Source> {
  return (await sourceEnd(deps, ref)).open();
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
