import { randomBytes } from 'node:crypto';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The counter fills rand_a (12 bits) and the first 14 bits of rand_b. */
const counterBits = 26;

let lastMs = 0;
let counter = 0;

/**
 * A UUID of version 7 (RFC 9562): sorts by time, and by order of making inside one millisecond of this
 * process. Without `now` (milliseconds since 1970) a clock that steps back does not break that order.
 */
export function uuidv7(now?: number): string {
  const ms = now ?? Math.max(Date.now(), lastMs);
  const random = randomBytes(10);
  // A fresh counter starts in the lower half, which leaves 2^25 ids for the same millisecond.
  counter = ms === lastMs ? counter + 1 : random.readUInt32BE(0) >>> (32 - counterBits + 1);
  lastMs = ms;
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(ms, 0, 6);
  bytes.writeUInt16BE(0x7000 | (counter >>> 14), 6);
  bytes.writeUInt16BE(0x8000 | (counter & 0x3fff), 8);
  random.copy(bytes, 10, 4, 10);
  return spell(bytes.toString('hex'));
}

/** Whether the text is a UUID of any version, in the usual spelling, in either case. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

function spell(hex: string): string {
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
