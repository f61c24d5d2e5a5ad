import { expect, test } from 'vitest';
import { ScheduleInput } from './schedule-input.ts';

test.each(['0 6 * * 1-5', '*/15 * * * *', '0 0 1 JAN *', '5,35 8-18 * * MON-FRI'])(
  'takes %s',
  (cron) => {
    expect(ScheduleInput.parse({ cron })).toEqual({ cron, time_zone: 'UTC' });
  },
);

test.each([
  '',
  '* * * *',
  '* * * * * *',
  '61 * * * *',
  '@hourly',
  '0 0 30 2 *',
  'CRON_TZ=UTC 0 0 * * *',
  'x',
])('refuses "%s"', (cron) => {
  expect(ScheduleInput.safeParse({ cron }).success).toBe(false);
});

test.each(['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'UTC'])(
  'knows the zone %s',
  (zone) => {
    expect(ScheduleInput.safeParse({ cron: '0 6 * * *', time_zone: zone }).success).toBe(true);
  },
);

test.each(['Berlin', 'Mars/Base', '', '+02:00', 'Europe/Berlin; x'])(
  'does not know the zone "%s"',
  (zone) => {
    expect(ScheduleInput.safeParse({ cron: '0 6 * * *', time_zone: zone }).success).toBe(false);
  },
);
