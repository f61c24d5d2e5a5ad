import { sql } from 'drizzle-orm';
import { destinations } from './schema.ts';

/** Set with every change of what a schedule is made of: Temporal has to be told; `db/schedules.ts` does. */
export const nextScheduleVersion = {
  scheduleVersion: sql`${destinations.scheduleVersion} + 1`,
} as const;
