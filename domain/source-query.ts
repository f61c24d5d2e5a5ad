import { Failure } from './failure.ts';
import { epochSeconds, instantMicros, type InstantText } from './instant.ts';
import type { Window } from './load.ts';
import type { SharedTable, SourceQuery } from './model.ts';
import { sqlTokens, type SqlToken } from './sql-tokens.ts';
import {
  parseTemplate,
  TemplateError,
  type Place,
  type Placeholder,
  type TemplateNode,
} from './template.ts';

/** What the placeholders stand for; one without a value is skipped by {{with}}. */
export type QueryValues = Readonly<Record<Placeholder, string | number | undefined>>;

/** As the source compares them: a longer name would be cut, and could become another tenant's. */
const nameBytesMax = 63;

const start: Place = { line: 1, column: 1 };

/** @throws TemplateError */
export function renderQuery(nodes: readonly TemplateNode[], values: QueryValues): SourceQuery {
  const rendering = { sql: '', masked: '', namesTenant: false };
  renderInto(rendering, nodes, values);
  const { sql, masked, namesTenant } = rendering;
  return { sql: oneSelect(sql), masked: oneSelect(masked), namesTenant };
}

const mask = '***';

function renderInto(
  rendering: { sql: string; masked: string; namesTenant: boolean },
  nodes: readonly TemplateNode[],
  values: QueryValues,
): void {
  for (const node of nodes) {
    if (node.kind === 'text') {
      rendering.sql += node.text;
      rendering.masked += node.text;
    } else if (node.kind === 'branch') {
      // Zero and the empty text count as empty, as in Go.
      renderInto(rendering, values[node.name] ? node.body : node.otherwise, values);
    } else {
      const value = values[node.name];
      if (value === undefined) throw new TemplateError(node.at, missing(node.name));
      const isTenant = isTenantName(node.name);
      const written = writeValue(rendering.sql, value, node);
      rendering.masked += isTenant ? writeValue(rendering.masked, mask, node) : written;
      rendering.sql += written;
      rendering.namesTenant ||= isTenant && written !== '';
    }
  }
}

function isTenantName(name: Placeholder): boolean {
  return name === 'IdInProviderSystem' || name === 'Schema';
}

function missing(name: Placeholder): string {
  return name === 'LastModifiedAtEpochUpperBound'
    ? 'LastModifiedAtEpochUpperBound is set only in runs that have an end; put it into {{with …}}.'
    : `${name} has no value in this model.`;
}

/**
 * The value as it may stand after this text. Outside of quotes it gets spaces around it, so that it stays a
 * token of its own, and is an escape string, whose meaning no setting of the server changes.
 */
function writeValue(
  before: string,
  value: string | number,
  { name, at }: { name: Placeholder; at: Place },
): string {
  const last = sqlTokens(before).at(-1);
  const text = String(value);
  if (last?.isOpen === true) return insideOf(last, { text, at });
  if (typeof value === 'number') return value < 0 ? ` (${text}) ` : ` ${text} `;
  if (name !== 'IdInProviderSystem') return ` "${text.replaceAll('"', '""')}" `;
  return ` E'${escaped(text)}' `;
}

function insideOf(token: SqlToken, { text, at }: { text: string; at: Place }): string {
  switch (token.kind) {
    case 'line_comment':
    case 'block_comment':
      return '';
    case 'name':
      return text.replaceAll('"', '""');
    case 'literal':
      return text.replaceAll("'", "''");
    case 'escape_literal':
      // What stands behind a backslash belongs to its escape, up to eight digits of it.
      if (!token.text.slice(-10).includes('\\')) return escaped(text);
      break;
    case 'other_literal':
    case 'other_name':
    case 'dollar_literal':
    case 'word':
    case 'symbol':
      break;
  }
  const sentence =
    'a placeholder cannot be made safe here. ' +
    `Write it outside of quotes or inside a plain '…' or "…".`;
  throw new TemplateError(at, sentence);
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "''");
}

/** Without a last semicolon. @throws TemplateError where it is not one SELECT, whole in itself */
function oneSelect(sql: string): string {
  const tokens = sqlTokens(sql);
  const code = tokens.filter(({ kind }) => !kind.endsWith('comment'));
  let end = sql.length;
  for (; code.at(-1)?.text === ';'; code.pop()) end = code.at(-1)?.at ?? end;
  const first = code.find(({ text }) => text !== '(')?.text.toLowerCase();
  if (first !== 'select' && first !== 'with') refuse('the query must be one SELECT statement.');
  let depth = 0;
  for (const { kind, text, isOpen, isContinued } of code) {
    if (isOpen) refuse('a quote of the query is not closed.');
    if (isContinued) refuse('a literal goes on after a line break. Write it as one literal.');
    if (kind === 'symbol' && text === ';') refuse('the query must be one statement.');
    if (kind === 'symbol' && '()'.includes(text)) depth += text === '(' ? 1 : -1;
    if (depth < 0) refuse('a parenthesis is closed that was not opened.');
    if (kind === 'name' && new TextEncoder().encode(text).length - 2 > nameBytesMax) {
      refuse(`a quoted name is longer than ${nameBytesMax} bytes; the source would cut it.`);
    }
  }
  if (depth > 0) refuse('a parenthesis of the query is not closed.');
  if (tokens.at(-1)?.kind === 'block_comment' && tokens.at(-1)?.isOpen === true) {
    refuse('a comment of the query is not closed.');
  }
  return sql.slice(0, end);
}

function refuse(sentence: string): never {
  throw new TemplateError(start, sentence);
}

/** Values that every condition of a template can meet, to look at all its forms. */
const epochs = [
  [0, undefined],
  [0, 2],
  [1, undefined],
  [1, 2],
] as const;

const specimen = {
  IdInProviderSystem: 'tenant',
  Schema: undefined,
  PrimaryKeyColumnName: 'id',
  LastModifiedColumnName: 'changed_at',
  OrganizationColumnName: 'tenant',
};

/** What is wrong with a template in any of its forms; undefined where nothing is. */
export function templateError(source: string): string | undefined {
  try {
    formsOf(source);
    return undefined;
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
}

/** Whether the tenant stands in every form of the template. @throws TemplateError */
export function alwaysNamesTenant(source: string): boolean {
  return formsOf(source).every(({ namesTenant }) => namesTenant);
}

function formsOf(source: string): SourceQuery[] {
  const nodes = parseTemplate(source);
  return epochs.map(([LastModifiedAtEpoch, LastModifiedAtEpochUpperBound]) =>
    renderQuery(nodes, { ...specimen, LastModifiedAtEpoch, LastModifiedAtEpochUpperBound }),
  );
}

/** What a query is told of one statement. */
export interface QueryAsk {
  readonly tenantId: string;
  readonly window: Window;
  /** Below it everything has been read before, however far back the window begins. */
  readonly watermark: InstantText | undefined;
}

/** Where no statement reads rows yet: what columns a query yields does not depend on its bounds. */
export const wholeRead = {
  window: { after: undefined, upTo: undefined },
  watermark: undefined,
} as const;

/**
 * The table with its query for one statement; a table without a query stays as it is. The bounds only widen
 * what the query yields: the reading statement applies its own, exact ones on top.
 * @throws Failure `source_mismatch`
 */
export function tableForRead(table: SharedTable, ask: QueryAsk): SharedTable {
  if (table.queryTemplate === undefined) return table;
  const { after, upTo } = ask.window;
  const from = after === undefined ? undefined : laterEpoch(epochSeconds(after), ask.watermark);
  try {
    const query = renderQuery(parseTemplate(table.queryTemplate), {
      LastModifiedAtEpoch: from ?? 0,
      LastModifiedAtEpochUpperBound: upTo === undefined ? undefined : epochCeiling(upTo),
      IdInProviderSystem: ask.tenantId,
      Schema: undefined,
      PrimaryKeyColumnName: table.key[0]?.nameInSource,
      LastModifiedColumnName: table.lastModified.nameInSource,
      OrganizationColumnName: table.tenantColumn,
    });
    return { ...table, relation: { ...table.relation, query } };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new Failure('source_mismatch', `source_query: ${error.message}`, { code: 'CONF' });
  }
}

function laterEpoch(epoch: number, watermark: InstantText | undefined): number {
  return watermark === undefined ? epoch : Math.max(epoch, epochSeconds(watermark));
}

function epochCeiling(upTo: InstantText): number {
  return epochSeconds(upTo) + (instantMicros(upTo) % 1_000_000n === 0n ? 0 : 1);
}
