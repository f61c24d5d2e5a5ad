import type { ConnectionChange, ConnectionInput, ConnectionRole } from '../db/connections.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { AppDeps } from './deps.ts';
import { invalid } from './errors.ts';
import { parseSettings, patchSettings, placeOf, settingsSchema } from './settings.ts';

/** What is stored of a source or destination, as far as its connection goes. */
export interface StoredConnection {
  readonly vendor: string;
  readonly connectionId: string;
  readonly settings: JsonObject;
  readonly secretPaths: readonly string[];
}

/** A source or destination as it stands in a request: the block stands under the name of its vendor. */
export interface VendorObject {
  readonly vendor?: string | undefined;
  readonly [key: string]: unknown;
}

/** A new connection and the fingerprint of its place. @throws Failure `invalid` */
export function newConnection(
  { registry, sealer }: AppDeps,
  role: ConnectionRole,
  object: VendorObject & { vendor: string },
): { connection: ConnectionInput; place: string } {
  const { vendor } = object;
  const schema = settingsSchema(registry, role, vendor);
  const { settings, secrets } = parseSettings(schema, object[vendor], `${role}.${vendor}`);
  return {
    connection: { vendor, settings, secrets, sealer },
    place: placeOf(schema, vendor, settings),
  };
}

/**
 * The next revision of a stored connection; nothing where the patch has no block.
 * @throws Failure `invalid`
 */
export function changedConnection(
  { registry, sealer }: AppDeps,
  role: ConnectionRole,
  { stored, patch }: { stored: StoredConnection; patch: VendorObject },
): { connection: ConnectionChange; place: string } | undefined {
  const { vendor } = stored;
  checkVendor(role, vendor, patch.vendor);
  const block = patch[vendor];
  if (block === undefined || block === null) return undefined;
  const schema = settingsSchema(registry, role, vendor);
  const { settings, secrets } = patchSettings(schema, stored, { block, path: `${role}.${vendor}` });
  return {
    connection: { basedOn: stored.connectionId, settings, secrets, sealer },
    place: placeOf(schema, vendor, settings),
  };
}

function checkVendor(role: ConnectionRole, vendor: string, wanted: string | undefined): void {
  if (wanted === undefined || wanted === vendor) return;
  const other = wanted.slice(0, 60);
  const message = `${role}.vendor is fixed: it is ${vendor}. Create another ${role} for ${other}.`;
  throw invalid([{ path: `${role}.vendor`, code: 'fixed', message }]);
}
