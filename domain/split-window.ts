import { Failure } from './failure.ts';
import { earlier, instantFromMicros, instantMicros, type InstantText } from './instant.ts';
import type { Window } from './load.ts';

/** How a model wants its windows to be read: a statement for so many seconds of last-modified values. */
export interface Split {
  readonly seconds: number;
  /** The source's clock of the plan: the part that reaches past it is the last, and as open as the window. */
  readonly now: InstantText;
}

/**
 * The part of a window in which a place lies, the first one where there is no place. Parts are counted from
 * the start of the window, else from 1970: then the first holds all that is older.
 */
export function partOf(window: Window, { seconds, now }: Split, place?: InstantText): Window {
  const width = BigInt(seconds) * 1_000_000n;
  const origin = originOf(window);
  // All that is stamped later than now is in one part with it.
  const at = place === undefined ? origin : instantMicros(earlier(place, now));
  const index = at < origin ? 0n : (at - origin) / width;
  const [start, end] = [origin + index * width, origin + (index + 1n) * width];
  const after = index === 0n ? window.after : instantFromMicros(start);
  if (end > instantMicros(now)) return { after, upTo: window.upTo };
  return { after, upTo: earlier(instantFromMicros(end), window.upTo) };
}

/** So many windows one run of a query may have: they are walked through, whether there are rows or not. */
export const queryWindowsMax = 100_000;

/** @throws Failure `source_mismatch` where a query would be asked for more windows than that */
export function checkWindowCount(window: Window, { seconds, now }: Split): void {
  const end = earlier(window.upTo ?? now, now);
  const count = (instantMicros(end) - originOf(window)) / (BigInt(seconds) * 1_000_000n) + 1n;
  if (count <= queryWindowsMax) return;
  const sentence =
    `The query of this model would be read in ${count} windows, of which ${queryWindowsMax} are allowed. ` +
    'Give the model a min_start_time_epoch, or a longer max_transfer_time_window_seconds.';
  throw new Failure('source_mismatch', sentence, { code: 'CONF' });
}

/** A window may begin at minus infinity, where nothing can be counted from. */
function originOf({ after }: Window): bigint {
  return after === undefined || after === '-infinity' ? 0n : instantMicros(after);
}
