import type { Context } from 'hono';
import type { TokenGrant } from '../db/scoped-tokens.ts';
import { leavesOf, movedFields, type Leaf } from '../domain/token-grant.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { AppEnv } from './deps.ts';
import { refuse } from './errors.ts';

// What the holder of a scoped token may write. With an API key every check here is passed.

/** A new object must be the one that the token was made for; what is empty is not given. @throws 403 */
export function checkGranted(c: Context<AppEnv>, destination: object): void {
  const grant = c.get('grant');
  if (grant === undefined) return;
  if (grant.destinationId !== undefined) {
    throw refuse(403, 'The scoped token is for a stored destination, not for a new one.');
  }
  const given = leavesOf(checkOwner(grant, destination)).filter(({ value }) => value !== '');
  checkLeaves(grant, given);
}

/**
 * A change or test of a stored destination: of that one alone, where the token names one. What is empty
 * counts too, since it resets a field.
 * @throws 403
 */
export function checkGrantedChange(
  c: Context<AppEnv>,
  { id, stored, change }: { id: string; stored: object; change: object },
): void {
  const grant = c.get('grant');
  if (grant === undefined) return;
  if (grant.destinationId !== undefined && grant.destinationId !== id) {
    throw refuse(403, 'The scoped token is for another destination.');
  }
  const wanted = checkOwner(grant, change);
  checkLeaves(grant, leavesOf(wanted));
  const moved = movedFields(toJson(stored), wanted);
  if (moved.length === 0) return;
  throw refuse(
    403,
    `destination.${moved[0]} cannot be changed with a scoped token: ask the vendor, or add a destination.`,
  );
}

/** The object without the fields that say whose it is. @throws 403 where it is another recipient's */
function checkOwner(grant: TokenGrant, destination: object): JsonObject {
  const { recipient_id: id, id_in_provider_system: tenant, ...rest } = toJson(destination);
  const isOwn = isEmpty(id) || (typeof id === 'string' && id.toLowerCase() === grant.recipientId);
  if (isOwn && (isEmpty(tenant) || tenant === grant.idInProviderSystem)) return rest;
  const field = isOwn ? 'id_in_provider_system' : 'recipient_id';
  throw refuse(403, `destination.${field} is not the recipient that the scoped token is for.`);
}

/** @throws 403 naming fields, never their values */
function checkLeaves(grant: TokenGrant, leaves: readonly Leaf[]): void {
  const strangers = grant.strangers(leaves);
  if (strangers.length === 0) return;
  const names = strangers.slice(0, 5).map((path) => `destination.${path.slice(0, 200)}`);
  const more =
    strangers.length > names.length ? ` and ${strangers.length - names.length} more` : '';
  throw refuse(
    403,
    `The scoped token was not made for ${names.join(', ')}${more}. ` +
      'Make a token with exactly the destination that is sent.',
  );
}

/** @throws 403 unless the token was made with that destination, `id` included */
export function checkGrantedDelete(c: Context<AppEnv>, id: string): void {
  const grant = c.get('grant');
  if (grant === undefined || grant.destinationId === id) return;
  throw refuse(403, 'The scoped token was not made for this destination, with its id.');
}

/** Our tables' scope: the environment, and the one recipient of a token. */
export function scopeOf(c: { readonly var: AppEnv['Variables'] }) {
  const { environment, recipientId } = c.var;
  return { environment, recipientId };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
