import { describe, expect, test } from 'vitest';
import { parseTemplate, TemplateError, type TemplateNode } from './template.ts';

/** A tree as short text: values as <Name>, branches as [Name?body|otherwise]. */
function shown(nodes: readonly TemplateNode[]): string {
  return nodes
    .map((node) => {
      if (node.kind === 'text') return node.text;
      if (node.kind === 'value') return `<${node.name}>`;
      return `[${node.name}?${shown(node.body)}|${shown(node.otherwise)}]`;
    })
    .join('');
}

describe('what is understood', () => {
  test.each([
    ['a {{.Schema}} b', 'a <Schema> b'],
    ['{{ .Schema }}', '<Schema>'],
    ['{{with .Schema}}x {{.}}{{else}}y{{end}}', '[Schema?x <Schema>|y]'],
    ['{{if .Schema}}x{{end}}', '[Schema?x|]'],
    [
      '{{with .Schema}}{{if .LastModifiedAtEpoch}}{{.}}{{end}}{{.}}{{end}}',
      '[Schema?[LastModifiedAtEpoch?<Schema>|]<Schema>|]',
    ],
    ['a \n {{- .Schema -}} \n b', 'a<Schema>b'],
    ['a {{/* {{.Nobody}} */}} b', 'a  b'],
    ['a {{- /* c */ -}} b', 'ab'],
    ['}} a { b', '}} a { b'],
    ['', ''],
  ])('%j', (source, tree) => {
    expect(shown(parseTemplate(source))).toBe(tree);
  });
});

describe('anything else is refused, with its place', () => {
  test.each([
    ['select\n  {{.Nobody}}', 'Line 2, column 3: there is no placeholder .Nobody'],
    ['{{.schema}}', 'Line 1, column 1: there is no placeholder .schema'],
    ['{{.}}', 'Line 1, column 1: {{.}} means something only inside {{with .Name}}.'],
    ['{{with .Schema}}{{else}}{{.}}{{end}}', 'Line 1, column 25: {{.}} means'],
    ['{{range .Schema}}{{end}}', 'Line 1, column 1: {{range .Schema}} is not supported'],
    ['{{.Schema | printf "%q"}}', 'is not supported'],
    ['{{$x := .Schema}}', 'is not supported'],
    ['{{else if .Schema}}', 'is not supported'],
    ['{{}}', 'is not supported'],
    ['a {{.Schema', 'Line 1, column 3: the braces opened here are not closed'],
    ['{{/* never', 'are not closed'],
    ['{{if .Schema}}a', '{{if .Schema}} has no {{end}} of its own'],
    ['{{if .Schema}}a{{else}}b{{else}}c{{end}}', 'has no {{end}} of its own'],
    ['x'.repeat(100_001), 'the template is longer than 100000 characters'],
    ['{{.Schema}}'.repeat(101), 'the template has more than 100 {{…}}'],
    ['a{{end}}', 'Line 1, column 2: {{end}} without'],
  ])('%j', (source, message) => {
    expect(() => parseTemplate(source)).toThrow(TemplateError);
    expect(() => parseTemplate(source)).toThrow(message);
  });
});
