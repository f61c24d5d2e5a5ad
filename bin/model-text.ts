import JSON5 from 'json5';
import type { Proposal } from '../domain/propose-model.ts';

/** A proposal as a file: JSON5, a line for each column, with comments that say what to look at. */
export function modelText({ model, notes }: Proposal): string {
  const { columns, ...fields } = model;
  const about = (path: string) =>
    notes.filter((note) => note.path === path).map(({ message }) => message);
  const own = Object.entries(fields).flatMap(([name, value]) => [
    ...about(`model.${name}`).map(comment),
    `${name}: ${JSON5.stringify(value)},`,
  ]);
  const open = fields.organization_column === undefined ? about('model.organization_column') : [];
  const listed = columns.map((column, index) => {
    const said = about(`model.columns[${index}]`).map(comment).join(' ');
    return `  ${JSON5.stringify(column)}, ${said}`.trimEnd();
  });
  const lines = [
    ...own,
    ...open.map(comment),
    ...about('model.columns').map(comment),
    'columns: [',
    ...listed,
    '],',
  ].map((line) => `  ${line}`);
  return [
    '// Proposed from the catalogue: look at what the comments say, then validate it.',
    '{model: {',
    ...lines,
    '}}',
    '',
  ].join('\n');
}

/** On one line, whatever names are in it. */
function comment(sentence: string): string {
  return `// ${sentence.replaceAll(/[\r\n\u2028\u2029]+/g, ' ')}`;
}
