import type { z } from '@hono/zod-openapi';
import { anyone, requireKey, requireKeyOrToken } from './auth.ts';
import { readBody } from './body.ts';
import { ErrorEnvelope } from './envelope.ts';

/** Spread into a route that only the holder of an API key may call. */
export const withKey = {
  // The key first: a body is not worth its memory to a stranger.
  middleware: [requireKey, readBody],
  security: [{ apiKey: [] }],
};

/** The same, or of a scoped token: what is read and written must then be of `c.var.recipientId`. */
export const withKeyOrToken = {
  middleware: [requireKeyOrToken, readBody],
  security: [{ apiKey: [] }, { scopedToken: [], origin: [] }],
};

/** Spread into a route that anybody may call. */
export const open = { middleware: [anyone, readBody], security: [] };

const faults = {
  400: 'Something in the request is wrong; `errors` says where.',
  401: 'The API key is missing, unknown, revoked or expired.',
  403: 'The credential is valid and may not do this.',
  404: 'There is no such object in the environment of the key.',
  409: 'Not possible in the present state.',
  413: 'The body is larger than 32 MB.',
  503: 'The database, the workflow engine or every worker is away.',
} as const;

type FaultStatus = keyof typeof faults;

/**
 * The answers of a route: its success, and the statuses that it can fail with. One that asks for a credential
 * also refuses a valid one that may not do this.
 */
export function answers<T extends z.ZodType, S extends FaultStatus>(schema: T, ...statuses: S[]) {
  const all = statuses.includes(401 as S) ? [...statuses, 403 as const] : statuses;
  const failed = all.map((status) => [status, fault(faults[status])]);
  return {
    200: { description: 'Success.', content: { 'application/json': { schema } } },
    ...(Object.fromEntries(failed) as Record<S, ReturnType<typeof fault>>),
  };
}

function fault(description: string) {
  return { description, content: { 'application/json': { schema: ErrorEnvelope } } };
}

/** A JSON body that must be there. */
export function body<T extends z.ZodType>(schema: T, example?: unknown) {
  return {
    required: true as const,
    content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
  };
}
