import { z } from '@hono/zod-openapi';
import { Cron } from 'croner';

/** Five fields of the usual signs: what Temporal and we read alike. */
const fiveFields = /^[0-9a-z*,/-]+(\s+[0-9a-z*,/-]+){4}$/i;

/** A cron with its time zone. Days on which clocks are put forward or back are the zone's own affair. */
export const ScheduleInput = z
  .object({
    cron: z.string().trim().max(200).refine(isCron, {
      error:
        'must be five fields: minute, hour, day of month, month, day of week, like "0 6 * * 1-5".',
    }),
    time_zone: z
      .string()
      .default('UTC')
      .refine(isTimeZone, { error: 'must be a time zone like "Europe/Berlin".' }),
  })
  .openapi('ScheduleInput');

function isCron(text: string): boolean {
  try {
    // One that never comes, the 30th of February, is none.
    return fiveFields.test(text) && new Cron(text, { timezone: 'UTC' }).nextRun() !== null;
  } catch {
    return false;
  }
}

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(text);
  } catch {
    return false;
  }
}
