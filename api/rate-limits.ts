import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, MiddlewareHandler } from 'hono';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { AppEnv } from './deps.ts';
import { refuse } from './errors.ts';

/** Calls of one client address in a minute, counted by each API process for itself. */
export interface RateLimits {
  /** Routes that need no credential. */
  readonly publicMax: number;
  /** Making a key pair costs much more than the other public routes. */
  readonly sshKeysMax: number;
  /** Proxies of the operator's in front of the API; each adds the address it saw to X-Forwarded-For. */
  readonly proxies: number;
}

export const usualRateLimits: RateLimits = { publicMax: 600, sshKeysMax: 60, proxies: 0 };

/** Lets so many calls of a client address through in a minute, then answers 429 with `Retry-After`. */
export function limitRate(callsMax: number, proxies: number): MiddlewareHandler<AppEnv> {
  const limiter = new RateLimiterMemory({ points: callsMax, duration: 60 });
  return async (c, next) => {
    await limiter.consume(clientOf(c, proxies)).catch((refusal: unknown) => {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const seconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
      throw refuse(
        429,
        `More than ${callsMax} calls a minute came from this address. Try again in ${seconds} s.`,
        { 'Retry-After': String(seconds) },
      );
    });
    await next();
  };
}

/** Who calls: an address, or the network that one customer gets where addresses are plenty (IPv6, /64). */
function clientOf(c: Context<AppEnv>, proxies: number): string {
  const seen = (c.req.header('x-forwarded-for') ?? '').split(',').map((part) => part.trim());
  // The last entry is what the nearest proxy saw; earlier ones anybody can write.
  const address = (proxies > 0 ? seen.at(-proxies) : undefined) || peerOf(c);
  return address.includes(':') && !address.includes('.')
    ? address.split(':').slice(0, 4).join(':')
    : address;
}

function peerOf(c: Context<AppEnv>): string {
  // Without a server around it, as in tests, a call has no connection.
  const hasPeer = typeof c.env === 'object' && c.env !== null && 'incoming' in c.env;
  return (hasPeer ? getConnInfo(c).remote.address : undefined) ?? 'unknown';
}
