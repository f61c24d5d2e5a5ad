import { html } from 'hono/html';
import type { z } from 'zod';
import type { ConnectorDeclaration } from '../connectors/connector.ts';
import { pageOfHtml } from './html-page.ts';
import { fieldOf, metaOf, shapeOf } from './settings-shape.ts';

/** What a person has to know to connect one system: its fields, from its declaration. */
export function renderVendor(declaration: ConnectorDeclaration) {
  const roles = (['destination', 'source'] as const).flatMap((role) => {
    const schema = declaration[role];
    return schema === undefined ? [] : [{ role, schema }];
  });
  return pageOfHtml(
    declaration.title,
    html`<p><code>${declaration.kind}</code> <a href="/docs">API</a></p>
      ${roles.map(
        ({ role, schema }) =>
          html`<section>
            <h2>As a ${role}</h2>
            ${
              declaration.isPlanned === true
                ? html`<p>It cannot be connected yet: its connector is not built.</p>`
                : ''
            }
            <table>
              <tr>
                <th>Field</th>
                <th>Meaning</th>
              </tr>
              ${rowsOf(schema, '')}
            </table>
          </section>`,
      )}`,
  );
}

function rowsOf(schema: z.core.$ZodType, above: string): unknown[] {
  return Object.entries(shapeOf(schema)).flatMap(([name, declared]) => {
    const { title = name, help, secret } = metaOf(declared);
    const { isOptional } = fieldOf(declared);
    const rows = rowsOf(declared, `${above}${name}.`);
    if (rows.length > 0) return rows;
    const notes = [...(isOptional ? [] : ['required']), ...(secret ? ['secret'] : [])];
    return [
      html`<tr>
        <td><code>${above}${name}</code></td>
        <td>${title}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}. ${help ?? ''}</td>
      </tr>`,
    ];
  });
}
