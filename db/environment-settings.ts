import { and, eq, getColumns, isNull, sql } from 'drizzle-orm';
import type { Environment } from '../domain/statuses.ts';
import { recordAudit, type Audit } from './audit.ts';
import type { Db } from './database.ts';
import { nextScheduleVersion } from './schedule-version.ts';
import { destinations } from './schema.ts';
import { environmentSettings } from './settings-schema.ts';

export interface EnvironmentSettings {
  readonly defaultFrequencyMinutes: number;
  /** False: nothing runs by its schedule; what is asked for by hand does. */
  readonly automaticTransfers: boolean;
  readonly maxConcurrentTransfers: number;
}

export const usualSettings: EnvironmentSettings = {
  defaultFrequencyMinutes: 1440,
  automaticTransfers: true,
  maxConcurrentTransfers: 10,
};

const {
  environment: _environment,
  updatedAt: _updatedAt,
  ...columns
} = getColumns(environmentSettings);

export async function getEnvironmentSettings(
  db: Db,
  environment: Environment,
): Promise<EnvironmentSettings> {
  const [found] = await db
    .select(columns)
    .from(environmentSettings)
    .where(eq(environmentSettings.environment, environment));
  return found ?? usualSettings;
}

/** Changes what is given. Destinations that go by the default get their new schedule. */
export async function updateEnvironmentSettings(
  db: Db,
  input: {
    environment: Environment;
    change: Partial<EnvironmentSettings>;
    audit: Audit<EnvironmentSettings>;
  },
): Promise<EnvironmentSettings> {
  const { environment, change, audit } = input;
  return await db.transaction(async (tx) => {
    await tx.insert(environmentSettings).values({ environment }).onConflictDoNothing();
    const before = await getEnvironmentSettings(tx, environment);
    if (Object.keys(change).length === 0) return before;
    await tx
      .update(environmentSettings)
      .set({ ...change, updatedAt: sql`now()` })
      .where(eq(environmentSettings.environment, environment));
    const settings = { ...before, ...change };
    if (needsNewSchedules(before, settings)) await outdateSchedules(tx, environment);
    await recordAudit(tx, {
      environment,
      eventType: 'SETTINGS_UPDATE',
      resourceId: environment,
      actor: audit.actor,
      object: audit.present(settings),
      previousObject: audit.present(before),
    });
    return settings;
  });
}

function needsNewSchedules(before: EnvironmentSettings, after: EnvironmentSettings): boolean {
  return (
    before.defaultFrequencyMinutes !== after.defaultFrequencyMinutes ||
    before.automaticTransfers !== after.automaticTransfers
  );
}

async function outdateSchedules(tx: Db, environment: Environment): Promise<void> {
  await tx
    .update(destinations)
    .set(nextScheduleVersion)
    .where(and(eq(destinations.environment, environment), isNull(destinations.deletedAt)));
}
