import { createRoute, z } from '@hono/zod-openapi';
import type { EnvironmentSettings } from '../db/environment-settings.ts';
import { getEnvironmentSettings, updateEnvironmentSettings } from '../db/environment-settings.ts';
import { setAllEnabled } from '../db/schedules.ts';
import type { Context } from 'hono';
import type { AppEnv } from './deps.ts';
import { envelopeOf, singleOf, success } from './envelope.ts';
import { wireInteger, wrapped } from './inputs.ts';
import { createRouter } from './router.ts';
import { answers, body, withKey } from './routes.ts';
import { tellSchedules } from './schedules.ts';

const Settings = z
  .object({
    default_frequency_minutes: z.int(),
    automatic_transfers: z.boolean(),
    max_concurrent_transfers: z.int(),
  })
  .openapi('Settings');

const SettingsPatch = z
  .object({
    default_frequency_minutes: wireInteger({ min: 1, max: 525_600 }).optional().openapi({
      description: 'Of destinations whose frequency is 0.',
    }),
    automatic_transfers: z.boolean().optional().openapi({
      description: 'False: nothing runs by its schedule.',
    }),
    max_concurrent_transfers: wireInteger({ min: 1, max: 10_000 }).optional(),
  })
  .openapi('SettingsPatch');

function presentSettings(settings: EnvironmentSettings) {
  return {
    default_frequency_minutes: settings.defaultFrequencyMinutes,
    automatic_transfers: settings.automaticTransfers,
    max_concurrent_transfers: settings.maxConcurrentTransfers,
  };
}

const Count = envelopeOf(z.object({ count: z.int() }));

/** What holds for the whole environment of a key. */
export const environmentSettings = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/settings',
      tags: ['Settings'],
      summary: 'Read the settings of the environment',
      responses: answers(singleOf('settings', Settings), 401),
    }),
    async (c) => {
      const settings = await getEnvironmentSettings(c.var.deps.db, c.var.environment);
      return c.json(success({ settings: presentSettings(settings) }, 'Settings'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'patch',
      path: '/settings',
      tags: ['Settings'],
      summary: 'Change the settings of the environment',
      description: 'A new default frequency reaches the destinations that go by it within minutes.',
      request: {
        body: body(wrapped('settings', SettingsPatch), { settings: { automatic_transfers: true } }),
      },
      responses: answers(singleOf('settings', Settings), 400, 401),
    }),
    async (c) => {
      const { settings: patch } = c.req.valid('json');
      const { environment, actor, deps } = c.var;
      const given = {
        defaultFrequencyMinutes: patch.default_frequency_minutes,
        automaticTransfers: patch.automatic_transfers,
        maxConcurrentTransfers: patch.max_concurrent_transfers,
      };
      const change = Object.fromEntries(
        Object.entries(given).filter(([, value]) => value !== undefined),
      ) as Partial<EnvironmentSettings>;
      const settings = await updateEnvironmentSettings(deps.db, {
        environment,
        change,
        audit: { actor, present: presentSettings },
      });
      return c.json(success({ settings: presentSettings(settings) }, 'Settings updated'), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/actions/pause-all-destinations',
      tags: ['Destinations'],
      summary: 'Disable all destinations: what waits is cancelled, what runs goes on',
      responses: answers(Count, 401),
    }),
    async (c) => {
      const count = await setAll(c, false);
      return c.json(success({ count }, `${count} destinations disabled`), 200);
    },
  )
  .openapi(
    createRoute({
      ...withKey,
      method: 'post',
      path: '/actions/enable-all-destinations',
      tags: ['Destinations'],
      summary: 'Enable all destinations',
      responses: answers(Count, 401),
    }),
    async (c) => {
      const count = await setAll(c, true);
      return c.json(success({ count }, `${count} destinations enabled`), 200);
    },
  );

/** @returns how many destinations changed */
async function setAll(c: Context<AppEnv>, isEnabled: boolean): Promise<number> {
  const { environment, actor, deps } = c.var;
  const ids = await setAllEnabled(deps.db, { environment, isEnabled, actor });
  await tellSchedules(c, ids);
  return ids.length;
}
