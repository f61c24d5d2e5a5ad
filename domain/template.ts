/** The template language of source queries: a small part of Go's text/template, and nothing else of it. */

export const placeholders = [
  'LastModifiedAtEpoch',
  'LastModifiedAtEpochUpperBound',
  'IdInProviderSystem',
  'Schema',
  'PrimaryKeyColumnName',
  'LastModifiedColumnName',
  'OrganizationColumnName',
] as const;
export type Placeholder = (typeof placeholders)[number];

/** Where something stands in the template; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: Placeholder; readonly at: Place }
  | {
      readonly kind: 'branch';
      readonly name: Placeholder;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** The sentence names the place; it holds nothing but the author's own words. */
export class TemplateError extends Error {
  constructor(at: Place, sentence: string) {
    super(`Line ${at.line}, column ${at.column}: ${sentence}`);
    this.name = 'TemplateError';
  }
}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly text: string; readonly at: Place };

/** The text before each action is looked through, so both are bounded. */
const charactersMax = 100_000;
const actionsMax = 100;

/** @throws TemplateError */
export function parseTemplate(source: string): readonly TemplateNode[] {
  const start = { line: 1, column: 1 };
  if (source.length > charactersMax) {
    throw new TemplateError(start, `the template is longer than ${charactersMax} characters.`);
  }
  const tokens = tokensOf(source);
  if (tokens.filter(({ kind }) => kind === 'action').length > actionsMax) {
    throw new TemplateError(start, `the template has more than ${actionsMax} {{…}}.`);
  }
  return new Parser(tokens).parse();
}

const comment = /\{\{(- )?\/\*[^]*?\*\/( -)?\}\}/y;
const action = /\{\{(-(?=\s))?((?:(?!\}\}|\{\{)[^])*?)((?<=\s)-)?\}\}/y;

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let mustTrim = false;
  let from = 0;
  const pushText = (upTo: number, trimsRight: boolean) => {
    let text = source.slice(from, upTo);
    if (mustTrim) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsRight) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text });
  };
  for (;;) {
    const start = source.indexOf('{{', from);
    if (start === -1) break;
    const isComment = /^\{\{(- )?\/\*/.test(source.slice(start, start + 6));
    const pattern = isComment ? comment : action;
    pattern.lastIndex = start;
    const found = pattern.exec(source);
    const at = placeOf(source, start);
    if (found === null) throw new TemplateError(at, 'the braces opened here are not closed by }}.');
    pushText(start, found[1] !== undefined);
    if (!isComment) tokens.push({ kind: 'action', text: (found[2] ?? '').trim(), at });
    mustTrim = (isComment ? found[2] : found[3]) !== undefined;
    from = start + found[0].length;
  }
  pushText(source.length, false);
  return tokens;
}

function placeOf(source: string, index: number): Place {
  const lines = source.slice(0, index).split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

class Parser {
  private readonly tokens: readonly Token[];
  private next = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  parse(): readonly TemplateNode[] {
    const { nodes, stop } = this.list(undefined);
    if (stop === undefined) return nodes;
    throw new TemplateError(stop.at, `{{${stop.text}}} without {{with …}} or {{if …}} before it.`);
  }

  /** Nodes up to an `else`, an `end` or the end. `dot` is what {{.}} stands for. */
  private list(dot: Placeholder | undefined) {
    const nodes: TemplateNode[] = [];
    for (let token = this.take(); token !== undefined; token = this.take()) {
      if (token.kind === 'text') nodes.push(token);
      else if (token.text === 'else' || token.text === 'end') return { nodes, stop: token };
      else nodes.push(this.node(token, dot));
    }
    return { nodes, stop: undefined };
  }

  private take(): Token | undefined {
    return this.tokens[this.next++];
  }

  private node(token: Token & { kind: 'action' }, dot: Placeholder | undefined): TemplateNode {
    const { text, at } = token;
    const [, word, reference] = /^(?:(with|if)\s+)?(\.\w*)$/.exec(text) ?? [];
    if (reference === undefined) {
      const sentence = `{{${text}}} is not supported. Use {{.Name}}, {{with .Name}}, {{if .Name}}, {{else}} and {{end}}.`;
      throw new TemplateError(at, sentence);
    }
    const name = nameOf(reference, { at, dot });
    if (word === undefined) return { kind: 'value', name, at };
    const body = this.list(word === 'with' ? name : dot);
    const last = body.stop?.text === 'else' ? this.list(dot) : { nodes: [], stop: body.stop };
    if (last.stop?.text !== 'end') {
      throw new TemplateError(last.stop?.at ?? at, `{{${text}}} has no {{end}} of its own.`);
    }
    return { kind: 'branch', name, body: body.nodes, otherwise: last.nodes };
  }
}

function nameOf(
  reference: string,
  { at, dot }: { at: Place; dot: Placeholder | undefined },
): Placeholder {
  if (reference === '.') {
    if (dot !== undefined) return dot;
    throw new TemplateError(at, '{{.}} means something only inside {{with .Name}}.');
  }
  const name = placeholders.find((known) => `.${known}` === reference);
  if (name !== undefined) return name;
  const sentence = `there is no placeholder ${reference}; known are ${placeholders.map((one) => `.${one}`).join(', ')}.`;
  throw new TemplateError(at, sentence);
}
