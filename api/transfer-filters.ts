import { z } from '@hono/zod-openapi';
import type { TransferFilters as Filters } from '../db/transfers.ts';
import { transferStatuses } from '../domain/statuses.ts';
import { invalid } from './errors.ts';
import { CommaList, QueryInstant } from './inputs.ts';

/** Query fields that lists of transfers have in common. */
export const TransferFilters = z.object({
  status: CommaList.openapi({ description: 'Several values separated by commas; in either case.' }),
  include_tags: CommaList.openapi({
    description: '`key.value`, several separated by commas; all must match.',
  }),
  ended_before: QueryInstant.openapi({ description: 'Exclusive.' }),
  ended_after: QueryInstant.openapi({ description: 'Inclusive.' }),
});

/** What the list verb wants. @throws Failure `invalid` for a status or tag that cannot be. */
export function filtersOf(query: z.infer<typeof TransferFilters>): Filters {
  return {
    statuses: query.status?.map(statusOf),
    tags: query.include_tags && Object.fromEntries(query.include_tags.map(tagOf)),
    endedBefore: query.ended_before === undefined ? undefined : new Date(query.ended_before),
    endedAfter: query.ended_after === undefined ? undefined : new Date(query.ended_after),
  };
}

function statusOf(text: string) {
  const status = transferStatuses.find((known) => known === text.toUpperCase());
  if (status !== undefined) return status;
  const message = `status must be one of ${transferStatuses.join(', ')}.`;
  throw invalid([{ path: 'status', code: 'invalid_value', message }]);
}

function tagOf(text: string): [string, string] {
  const [key = '', value = '', ...rest] = text.split('.');
  if (key !== '' && value !== '' && rest.length === 0) return [key, value];
  const message = 'include_tags must be key.value, several separated by commas.';
  throw invalid([{ path: 'include_tags', code: 'invalid_format', message }]);
}
