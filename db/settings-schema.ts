import { boolean, integer, snakeCase } from 'drizzle-orm/pg-core';
import { createdAt, environment } from './columns.ts';

/** One row for an environment in which anything was set; without one the defaults count. */
export const environmentSettings = snakeCase.table('environment_settings', {
  environment: environment().primaryKey(),
  defaultFrequencyMinutes: integer().notNull().default(1440),
  automaticTransfers: boolean().notNull().default(true),
  maxConcurrentTransfers: integer().notNull().default(10),
  updatedAt: createdAt(),
});
