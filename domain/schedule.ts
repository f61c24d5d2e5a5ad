/** When transfers of a destination begin by themselves. */
export type ScheduleSpec =
  | {
      readonly kind: 'interval';
      readonly everySeconds: number;
      /** After the full interval since 1970 in UTC, which for a day is midnight. */
      readonly offsetSeconds: number;
    }
  | { readonly kind: 'cron'; readonly cron: string; readonly timeZone: string };

export interface ScheduledDestination {
  readonly id: string;
  readonly isEnabled: boolean;
  /** 0: as the environment says. */
  readonly frequencyMinutes: number;
  /** Counts instead of the frequency. */
  readonly cron: string | null;
  readonly timeZone: string | null;
}

export interface ScheduleDefaults {
  readonly defaultFrequencyMinutes: number;
  readonly automaticTransfers: boolean;
}

/** Destinations that are due together begin spread over this part of their interval. */
const spread = 0.05;

/**
 * The schedule that a destination should have, or none. The place of a destination within the spread comes
 * from its id, so that it never moves.
 */
export function scheduleOf(
  destination: ScheduledDestination,
  defaults: ScheduleDefaults,
): ScheduleSpec | undefined {
  if (!destination.isEnabled || !defaults.automaticTransfers) return undefined;
  const { cron, timeZone } = destination;
  if (cron !== null) return { kind: 'cron', cron, timeZone: timeZone ?? 'UTC' };
  const minutes = destination.frequencyMinutes || defaults.defaultFrequencyMinutes;
  const everySeconds = minutes * 60;
  const offsetSeconds = Math.floor(everySeconds * spread * fractionOf(destination.id));
  return { kind: 'interval', everySeconds, offsetSeconds };
}

/** A number from 0 up to 1, evenly spread over ids (FNV-1a, 32 bits). */
function fractionOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const character of id) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return hash / 2 ** 32;
}
