import { Failure } from '../domain/failure.ts';

/** Deeper input serves nobody, and every walk over it may then recurse. */
const depthMax = 64;

/**
 * The JSON value of a request body; an empty body counts as `{}`.
 * @throws Failure `invalid` naming the place, never quoting the text: it may hold a secret.
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  if (text.trim() === '') return {};
  checkDepth(text);
  const value = parse(text);
  checkStrings(value, '');
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('invalid', 'The body is not valid UTF-8.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Beyond this size the search for the place would cost more than it helps.
    const place =
      text.length > 1_000_000 ? 'it is too large to say where' : placeOf(text, findFault(text));
    throw new Failure('invalid', `The body is not valid JSON: ${place}.`);
  }
}

function placeOf(text: string, index: number): string {
  if (index >= text.length) return 'it ends too early';
  const before = text.slice(0, index).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1} does not fit`;
}

/** Nesting is counted before parsing, with brackets inside strings left out. */
function checkDepth(text: string): void {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const mark = text[index];
    if (isInString && mark === '\\') index += 1;
    else if (mark === '"') isInString = !isInString;
    else if (!isInString && (mark === '[' || mark === '{')) depth += 1;
    else if (!isInString && (mark === ']' || mark === '}')) depth -= 1;
    if (depth > depthMax) {
      throw new Failure('invalid', `The body is nested deeper than ${depthMax} levels.`);
    }
  }
}

type Expected = 'value' | 'first_value' | 'key' | 'first_key' | 'colon' | 'next';

const text = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
const token = new RegExp(`\\s*(${text.source}|${number.source}|true|false|null|[[\\]{}:,])`, 'y');

/** Where the first token stands that JSON does not allow there. Called only for text known to be faulty. */
function findFault(text: string): number {
  const open: string[] = [];
  let expected: Expected = 'value';
  let end = 0;
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const following = follow(match[1] ?? '', expected, open);
    if (following === undefined) return token.lastIndex - (match[1]?.length ?? 0);
    expected = following;
    end = token.lastIndex;
  }
  return end + (/^\s*/.exec(text.slice(end))?.[0].length ?? 0);
}

/** What may come after this token, or undefined where the token itself may not stand here. */
function follow(mark: string, expected: Expected, open: string[]): Expected | undefined {
  // JSON wants line ends and the like inside strings to be escaped.
  if (mark.startsWith('"') && mark.split('').some((character) => character < ' ')) return undefined;
  const wantsValue = expected === 'value' || expected === 'first_value';
  if (mark === '}' || mark === ']') {
    const empty = mark === '}' ? 'first_key' : 'first_value';
    const fits = open.at(-1) === mark && (expected === 'next' || expected === empty);
    open.pop();
    return fits ? 'next' : undefined;
  }
  if (mark === ',') {
    if (expected !== 'next' || open.length === 0) return undefined;
    return open.at(-1) === '}' ? 'key' : 'value';
  }
  if (mark === ':') return expected === 'colon' ? 'value' : undefined;
  if (expected === 'key' || expected === 'first_key')
    return mark.startsWith('"') ? 'colon' : undefined;
  if (!wantsValue) return undefined;
  if (mark !== '{' && mark !== '[') return 'next';
  open.push(mark === '{' ? '}' : ']');
  return mark === '{' ? 'first_key' : 'first_value';
}

/** Text that our database could not keep as it is would come back changed. */
function checkStrings(value: unknown, path: string): void {
  if (typeof value === 'string') {
    checkString(value, path);
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => checkStrings(item, `${path}[${index}]`));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      checkString(key, path);
      checkStrings(item, path === '' ? key : `${path}.${key}`);
    }
  }
}

function checkString(text: string, path: string): void {
  if (!text.includes('\u0000') && text.isWellFormed()) return;
  const message = 'Text may hold neither a NUL character nor half a surrogate pair.';
  throw new Failure('invalid', message, { violations: [{ path, code: 'bad_text', message }] });
}
