import type { Login } from '../../bin/demo-vendor.ts';

/** What a peer is given to work with: the same servers and rows as everybody else. */
export interface PeerJob {
  readonly source: Login;
  readonly destination: Login;
  /** Empty at the destination, for a peer that can choose where its table lands. */
  readonly schema: string;
  /** For what it keeps on disk, empty. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** A program to run: the whole of the peer's work. */
export interface PeerProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The table at the destination, with its schema. */
  readonly table: string;
}

/** Something that a user would pick instead of Waybill. */
export interface Peer {
  readonly name: string;
  /** Said beside its numbers: what it does differently. */
  readonly remark?: string;
  /** Installs what is missing. @throws Failure `unavailable` with the reason where it cannot be had */
  readonly prepare: (signal: AbortSignal) => Promise<(job: PeerJob) => PeerProgram>;
}

/** These servers exist for the length of the run only, and their passwords travel in the environment. */
export function urlOf({ host, port, user, password, database }: Login): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}?sslmode=disable`;
}
