import { html } from 'hono/html';
import type { Json, JsonObject } from '../lib/deep-merge.ts';
import type { AppDeps } from './deps.ts';
import type { FieldRow } from './docs-fields.ts';
import { at, fieldsOf, textAt, typeOf } from './docs-fields.ts';
import { pageOfHtml } from './html-page.ts';

/** One operation of the document. */
interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly tag: string;
  readonly operation: JsonObject;
}

/** The page about the API, made from its OpenAPI document: for each path its fields, answers and a curl. */
export function renderDocs(document: JsonObject, { publicUrl, temporalUiUrl }: AppDeps) {
  const operations = operationsOf(document);
  const groups = [...Map.groupBy(operations, ({ tag }) => tag)];
  return pageOfHtml(
    'The Waybill API',
    html`${introduction(publicUrl, temporalUiUrl)}
      <nav>
        ${groups.map(
          ([tag, members]) =>
            html`<h3>${tag}</h3>
              <ul>
                ${members.map(link)}
              </ul>`,
        )}
      </nav>
      ${operations.map((one) => section(document, one, publicUrl))} ${objects(document)}`,
  );
}

function introduction(publicUrl: string, temporalUiUrl: string | undefined) {
  return html`<p>
      JSON in, JSON out, at <code>${publicUrl}</code>. Every path but the ones of the service itself
      wants an API key in the header <code>X-API-KEY</code>; the key decides which environment is
      reached.
    </p>
    <p>
      Every answer is <code>{"status", "data", "message"}</code>. A failed request has the status
      <code>error</code>, a sentence in <code>message</code>, and <code>errors</code> with the place
      of each fault. Lists come in pages: follow <code>next_url</code> while
      <code>has_next</code> is true.
    </p>
    <p>
      <a href="/openapi.json">OpenAPI document</a> · <a href="/docs/errors">error codes</a>
      ${temporalUiUrl === undefined ? '' : html`· <a href="${temporalUiUrl}">running workflows</a>`}
    </p>`;
}

function operationsOf(document: JsonObject): Operation[] {
  return Object.entries(at(document, 'paths')).flatMap(([path, methods]) =>
    Object.entries(at(methods)).map(([method, value]) => {
      const operation = at(value);
      const [tag] = Array.isArray(operation['tags']) ? operation['tags'] : [];
      const id = `${method}${path.replaceAll(/[{}]/g, '').replaceAll('/', '-')}`;
      return { id, method: method.toUpperCase(), path, tag: String(tag), operation };
    }),
  );
}

function link({ id, method, path, operation }: Operation) {
  return html`<li>
    <a href="#${id}"><span class="method">${method}</span> <code>${path}</code></a>
    ${textAt(operation, 'summary')}
  </li>`;
}

function section(document: JsonObject, one: Operation, publicUrl: string) {
  const { operation } = one;
  const content = at(operation, 'requestBody', 'content', 'application/json');
  const input = fieldsOf(document, at(content, 'schema'), { foldsNamed: false });
  const schema = at(operation, 'responses', '200', 'content', 'application/json', 'schema');
  const answer = fieldsOf(document, schema, { foldsNamed: true });
  return html`<section id="${one.id}">
    <h2><span class="method">${one.method}</span> <code>${one.path}</code></h2>
    <p>${textAt(operation, 'summary')}</p>
    <p>${textAt(operation, 'description')}</p>
    <pre>${curlOf(one, content['example'], publicUrl)}</pre>
    ${inputTable('Path, query and headers', parametersOf(operation))} ${inputTable('Body', input)}
    ${answerTable('Answer', answer)}
    <h3>Statuses</h3>
    <ul>
      ${Object.entries(at(operation, 'responses')).map(
        ([status, response]) =>
          html`<li><code>${status}</code> ${textAt(at(response), 'description')}</li>`,
      )}
    </ul>
  </section>`;
}

/** Each object that is answered, once. */
function objects(document: JsonObject) {
  const schemas = Object.entries(at(document, 'components', 'schemas'));
  const answered = schemas.filter(([name]) => !/(Input|Patch)$/.test(name));
  return answered.map(
    ([name, schema]) =>
      html`<section id="object-${name}">
        <h2>${name}</h2>
        ${answerTable('Fields', fieldsOf(document, at(schema), { foldsNamed: true }))}
      </section>`,
  );
}

function parametersOf(operation: JsonObject): FieldRow[] {
  const parameters = Array.isArray(operation['parameters']) ? operation['parameters'] : [];
  return parameters.map((value) => {
    const parameter = at(value);
    const schema = at(parameter, 'schema');
    return {
      path: textAt(parameter, 'name'),
      type: typeOf(schema),
      object: undefined,
      isRequired: parameter['required'] === true,
      isNullable: false,
      description: textAt(schema, 'description'),
    };
  });
}

function inputTable(title: string, rows: readonly FieldRow[]) {
  return table(title, rows, (row) => html`${row.type}${row.isRequired ? ', required' : ''}`);
}

function answerTable(title: string, rows: readonly FieldRow[]) {
  return table(title, rows, (row) => {
    const name = row.object;
    const shown = name === undefined ? '' : html` <a href="#object-${name}">${name}</a>`;
    return html`${name === undefined || row.type === 'list' ? row.type : ''}${shown}${
      row.isNullable ? ', or null' : ''
    }`;
  });
}

function table(title: string, rows: readonly FieldRow[], typeCell: (row: FieldRow) => unknown) {
  if (rows.length === 0) return '';
  return html`<h3>${title}</h3>
    <table>
      ${rows.map(
        (row) =>
          html`<tr>
            <td><code>${row.path}</code></td>
            <td>${typeCell(row)}</td>
            <td>${row.description}</td>
          </tr>`,
      )}
    </table>`;
}

function curlOf(
  { method, path, operation }: Operation,
  example: Json | undefined,
  publicUrl: string,
): string {
  const isOpen = JSON.stringify(operation['security'] ?? []) === '[]';
  const key = isOpen ? '' : ` \\\n  -H "X-API-KEY: $WAYBILL_API_KEY"`;
  const body = example === undefined ? '' : ` \\\n  -d '${JSON.stringify(example, null, 2)}'`;
  const verb = method === 'GET' ? '' : ` -X ${method}`;
  const concrete = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `$${name.toUpperCase()}`);
  return `curl${verb} "${publicUrl}${concrete}"${key}${body}`;
}
