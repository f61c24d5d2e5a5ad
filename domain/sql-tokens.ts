/**
 * Just enough of Postgres' own lexer to say where a place in a statement stands. It holds for
 * `standard_conforming_strings = on`, which every session of ours pins.
 */

export type SqlTokenKind =
  | 'literal'
  | 'escape_literal'
  | 'other_literal'
  | 'name'
  | 'other_name'
  | 'dollar_literal'
  | 'line_comment'
  | 'block_comment'
  | 'word'
  | 'symbol';

export interface SqlToken {
  readonly kind: SqlTokenKind;
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
  /** Not ended by the end of the text. */
  readonly isOpen: boolean;
  /** A literal that a line break joins to the one before: it has that one's rules, not its own. */
  readonly isContinued: boolean;
}

/** The body of each quoted kind without its last mark. */
const quoted: readonly (readonly [SqlTokenKind, RegExp, string])[] = [
  ['escape_literal', /[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*/y, "'"],
  ['other_literal', /(?:[bBxX]|[uU]&)'[^']*(?:''[^']*)*/y, "'"],
  ['literal', /[nN]?'[^']*(?:''[^']*)*/y, "'"],
  ['other_name', /[uU]&"[^"]*(?:""[^"]*)*/y, '"'],
  ['name', /"[^"]*(?:""[^"]*)*/y, '"'],
];
const space = /[ \t\n\r\f\v]+/y;
const lineComment = /--[^\n\r]*/y;
const word = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const dollar = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;

export function sqlTokens(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let at = 0;
  let hasBreak = false;
  let afterLiteral = false;
  while (at < sql.length) {
    const gap = match(space, sql, at);
    if (gap !== undefined) {
      hasBreak ||= /[\n\r]/.test(gap);
      at += gap.length;
      continue;
    }
    const { kind, text, isOpen } = tokenAt(sql, at);
    const isContinued = afterLiteral && hasBreak && text.startsWith("'");
    tokens.push({ kind, text, at, isOpen, isContinued });
    at += text.length;
    if (kind === 'line_comment') continue;
    afterLiteral = kind.endsWith('literal') && kind !== 'dollar_literal';
    hasBreak = false;
  }
  return tokens;
}

function match(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}

function tokenAt(sql: string, at: number): Pick<SqlToken, 'kind' | 'text' | 'isOpen'> {
  const line = match(lineComment, sql, at);
  if (line !== undefined) {
    return { kind: 'line_comment', text: line, isOpen: at + line.length === sql.length };
  }
  if (sql.startsWith('/*', at)) return blockComment(sql, at);
  for (const [kind, pattern, mark] of quoted) {
    const body = match(pattern, sql, at);
    if (body === undefined) continue;
    const isOpen = sql[at + body.length] !== mark;
    return { kind, text: isOpen ? sql.slice(at) : body + mark, isOpen };
  }
  const tag = match(dollar, sql, at);
  if (tag !== undefined) {
    const end = sql.indexOf(tag, at + tag.length);
    const text = sql.slice(at, end === -1 ? undefined : end + tag.length);
    return { kind: 'dollar_literal', text, isOpen: end === -1 };
  }
  const name = match(word, sql, at);
  if (name !== undefined) return { kind: 'word', text: name, isOpen: false };
  return { kind: 'symbol', text: sql.charAt(at), isOpen: false };
}

/** They nest. */
function blockComment(sql: string, at: number): Pick<SqlToken, 'kind' | 'text' | 'isOpen'> {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth > 0) continue;
    return { kind: 'block_comment', text: sql.slice(at, marks.lastIndex), isOpen: false };
  }
  return { kind: 'block_comment', text: sql.slice(at), isOpen: true };
}
