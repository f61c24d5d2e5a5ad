import type { Context } from 'hono';
import { leavesOf, movedFields } from '../domain/token-grant.ts';
import type { JsonObject } from '../lib/deep-merge.ts';
import type { AppEnv } from './deps.ts';
import { refuse } from './errors.ts';

// What the holder of a scoped token may write. With an API key every check here is passed.

/** The object in the request must be the one that the token was made for. @throws 403 naming fields */
export function checkGranted(c: Context<AppEnv>, destination: object): void {
  const grant = c.get('grant');
  if (grant === undefined) return;
  const { recipient_id: recipientId, ...rest } = toJson(destination);
  if (recipientId && recipientId !== grant.recipientId) {
    throw refuse(
      403,
      'destination.recipient_id is not the recipient that the scoped token is for.',
    );
  }
  const strangers = grant.strangers(leavesOf(rest));
  if (strangers.length === 0) return;
  const names = strangers.slice(0, 5).map((path) => `destination.${path}`);
  const more =
    strangers.length > names.length ? ` and ${strangers.length - names.length} more` : '';
  throw refuse(
    403,
    `The scoped token was not made for ${names.join(', ')}${more}. ` +
      'Make a token with exactly the destination that is sent.',
  );
}

/** A change or test of a stored destination: of that one alone, where the token names one. @throws 403 */
export function checkGrantedChange(
  c: Context<AppEnv>,
  { id, stored, change }: { id: string; stored: object; change: object },
): void {
  const grant = c.get('grant');
  if (grant === undefined) return;
  if (grant.destinationId !== undefined && grant.destinationId !== id) {
    throw refuse(403, 'The scoped token is for another destination.');
  }
  checkGranted(c, change);
  const moved = movedFields(toJson(stored), toJson(change));
  if (moved.length === 0) return;
  throw refuse(
    403,
    `destination.${moved[0]} cannot be changed with a scoped token: ask the vendor, or add a destination.`,
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

function toJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
