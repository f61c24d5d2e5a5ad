import { inject } from 'vitest';
import type { PostgresMajor } from '../../bin/embedded-postgres.ts';
import { must } from '../../lib/must.ts';

/** What `global-setup.ts` hands to every test file. */
export interface TestServers {
  readonly temporalAddress: string;
  /** Removed with everything in it when the run ends. */
  readonly folder: string;
  readonly controlUrl: string;
}

export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  /** A superuser. */
  readonly user: string;
  readonly password: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
  }
}

/** The servers of this test run. Throws in a test project that was not given `global-setup.ts`. */
export function testServers(): TestServers {
  return must(inject('servers'), 'This test needs servers: name it *.local.test.ts.');
}

/** A Postgres server shared by all test files, started when it is first asked for. */
export async function sharedPostgres(major: PostgresMajor = 18): Promise<PostgresAddress> {
  return (await ask(String(major))) as PostgresAddress;
}

/** A Temporal namespace that no other test file has, with our search attributes. */
export async function takeNamespace(): Promise<string> {
  return ((await ask('namespace')) as { namespace: string }).namespace;
}

async function ask(what: string): Promise<unknown> {
  const response = await fetch(`${testServers().controlUrl}/${what}`);
  if (!response.ok)
    throw new Error(`The test servers cannot give ${what}: ${await response.text()}`);
  return response.json();
}
