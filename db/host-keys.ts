import { and, eq } from 'drizzle-orm';
import { must } from '../lib/must.ts';
import type { Db } from './database.ts';
import { sshHostKeys } from './keys-schema.ts';

/** An SSH server, its host in lower case. */
export interface HostPlace {
  readonly host: string;
  readonly port: number;
}

/** The key that the server showed first; undefined where it never let us in. */
export async function recallHostKey(db: Db, place: HostPlace): Promise<string | undefined> {
  const [found] = await db.select().from(sshHostKeys).where(isAt(place));
  return found?.fingerprint;
}

/** Keeps the key unless there is one. @returns the one that is kept */
export async function rememberHostKey(
  db: Db,
  { fingerprint, ...place }: HostPlace & { fingerprint: string },
): Promise<string> {
  await db
    .insert(sshHostKeys)
    .values({ ...place, fingerprint })
    .onConflictDoNothing();
  return must(await recallHostKey(db, place), 'the host key that was just kept');
}

/** For a server that rightly has another key now. @returns whether there was one */
export async function forgetHostKey(db: Db, place: HostPlace): Promise<boolean> {
  return ((await db.delete(sshHostKeys).where(isAt(place))).rowCount ?? 0) > 0;
}

function isAt({ host, port }: HostPlace) {
  return and(eq(sshHostKeys.host, host), eq(sshHostKeys.port, port));
}
