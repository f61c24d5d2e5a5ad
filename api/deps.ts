import type { ConnectorRegistry } from '../connectors/connector.ts';
import type { Database } from '../db/database.ts';
import type { MagicLinkRecord } from '../db/magic-links.ts';
import type { TokenGrant } from '../db/scoped-tokens.ts';
import type { MachineType } from '../domain/machine-type.ts';
import type { WorkflowPort } from '../domain/ports.ts';
import type { Actor, Environment } from '../domain/statuses.ts';
import type { KeyPool } from '../lib/key-pair.ts';
import type { Sealer } from '../lib/seal.ts';
import type { RateLimits } from './rate-limits.ts';

/** Structured lines: what, as fields, then a sentence. Never a body, a secret or a row value. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** All that the API needs from outside. */
export interface AppDeps {
  readonly db: Database;
  readonly sealer: Sealer;
  /** Key pairs made ahead. */
  readonly keyPairs: KeyPool;
  readonly workflows: WorkflowPort;
  /** Declarations only: the API never loads a connector's driver. */
  readonly registry: ConnectorRegistry;
  /** Where clients reach us, without a trailing slash; `next_url` and links begin with it. */
  readonly publicUrl: string;
  readonly temporalUiUrl: string | undefined;
  readonly rateLimits: RateLimits;
  /** What a destination may name as `machine_type_id`. */
  readonly machineTypes: readonly MachineType[];
  readonly log: Log;
  /** Names of the migrations that the database has not had yet. */
  readonly pendingMigrations: () => Promise<readonly string[]>;
}

/** What a request carries besides itself. `key` is set on routes that ask for one. */
export interface AppEnv {
  Variables: {
    deps: AppDeps;
    requestId: string;
    environment: Environment;
    actor: Actor;
    /** Of a scoped token: nothing of another recipient exists. */
    recipientId: string | undefined;
    grant: TokenGrant | undefined;
    /** On the routes behind a magic link. */
    magicLink: MagicLinkRecord;
  };
}
