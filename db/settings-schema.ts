import { boolean, integer, snakeCase } from 'drizzle-orm/pg-core';
import { createdAt, environment, tenancy } from './columns.ts';

/** One row for an environment in which anything was set; without one the defaults count. */
export const environmentSettings = snakeCase.table('environment_settings', {
  environment: environment().primaryKey(),
  defaultFrequencyMinutes: integer().notNull().default(1440),
  automaticTransfers: boolean().notNull().default(true),
  maxConcurrentTransfers: integer().notNull().default(10),
  /** Of models that do not say how their rows are told apart by tenant. */
  defaultTenancy: tenancy().notNull().default('column'),
  updatedAt: createdAt(),
});
