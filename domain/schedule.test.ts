import { describe, expect, test } from 'vitest';
import { uuidv7 } from '../lib/uuid.ts';
import { scheduleOf } from './schedule.ts';

const defaults = { defaultFrequencyMinutes: 1440, automaticTransfers: true };
const destination = {
  id: '0199aa00-0000-7000-8000-000000000001',
  isEnabled: true,
  frequencyMinutes: 0,
  cron: null,
  timeZone: null,
};

describe('the schedule of a destination', () => {
  test.each([0, 15, 60, 360, 720, 1440, 1, 7])('of %i minutes', (frequencyMinutes) => {
    const spec = scheduleOf({ ...destination, frequencyMinutes }, defaults);
    const minutes = frequencyMinutes === 0 ? 1440 : frequencyMinutes;
    expect(spec).toMatchObject({ kind: 'interval', everySeconds: minutes * 60 });
  });

  test('is none while it is disabled, or while nothing runs by itself', () => {
    expect(scheduleOf({ ...destination, isEnabled: false }, defaults)).toBeUndefined();
    expect(scheduleOf(destination, { ...defaults, automaticTransfers: false })).toBeUndefined();
  });

  test('goes by its cron, in UTC unless told', () => {
    const cron = { ...destination, frequencyMinutes: 15, cron: '0 6 * * 1' };
    expect(scheduleOf(cron, defaults)).toEqual({
      kind: 'cron',
      cron: '0 6 * * 1',
      timeZone: 'UTC',
    });
    const berlin = scheduleOf({ ...cron, timeZone: 'Europe/Berlin' }, defaults);
    expect(berlin).toMatchObject({ timeZone: 'Europe/Berlin' });
  });
});

test('destinations spread evenly over a twentieth of the interval, each always at its own place', () => {
  const ids = Array.from({ length: 2000 }, () => uuidv7());
  const offsets = ids.map((id) => {
    const spec = scheduleOf({ ...destination, id }, defaults);
    expect(scheduleOf({ ...destination, id }, defaults)).toEqual(spec);
    return spec?.kind === 'interval' ? spec.offsetSeconds : -1;
  });
  const most = 1440 * 60 * 0.05;
  expect(Math.min(...offsets)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...offsets)).toBeLessThan(most);
  const quarters = [0, 1, 2, 3].map(
    (quarter) => offsets.filter((offset) => Math.floor((offset / most) * 4) === quarter).length,
  );
  for (const count of quarters) expect(count).toBeGreaterThan(400);
});
