import type { Context } from 'hono';
import { html } from 'hono/html';
import type { AppEnv } from './deps.ts';

/** The pages say all they need themselves: they load nothing from anywhere. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const style = html`<style>
  body {
    font:
      16px/1.5 system-ui,
      sans-serif;
    max-width: 62rem;
    margin: 2rem auto;
    padding: 0 1rem;
    color: #1c2430;
  }
  h1,
  h2,
  h3 {
    line-height: 1.2;
  }
  section {
    border-top: 1px solid #d8dee6;
    margin-top: 2rem;
  }
  code,
  pre {
    font:
      13px/1.45 ui-monospace,
      monospace;
    background: #f3f5f8;
    border-radius: 4px;
  }
  code {
    padding: 0.1em 0.3em;
  }
  pre {
    padding: 0.8rem;
    overflow-x: auto;
  }
  table {
    border-collapse: collapse;
    width: 100%;
    font-size: 14px;
  }
  td,
  th {
    text-align: left;
    vertical-align: top;
    padding: 0.3rem 0.6rem 0.3rem 0;
    border-bottom: 1px solid #e6eaef;
  }
  .method {
    display: inline-block;
    min-width: 5em;
    font-weight: 600;
  }
  li a:not(:hover) {
    text-decoration: none;
  }
  @media (prefers-color-scheme: dark) {
    body {
      background: #14181f;
      color: #dde3ea;
    }
    code,
    pre {
      background: #202732;
    }
    a {
      color: #7ab7ff;
    }
  }
</style>`;

/** A page of ours: no script, nothing from elsewhere. */
export function pageOfHtml(title: string, content: ReturnType<typeof html>) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
        ${style}
      </head>
      <body>
        <h1>${title}</h1>
        ${content}
      </body>
    </html>`;
}

export function answerPage(
  c: Context<AppEnv>,
  content: ReturnType<typeof pageOfHtml>,
): Response | Promise<Response> {
  c.header('Content-Security-Policy', policy);
  return c.html(content);
}
