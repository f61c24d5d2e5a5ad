import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { anyone } from './auth.ts';
import type { AppDeps, AppEnv } from './deps.ts';
import { renderDocs } from './docs-page.ts';
import { renderErrors } from './errors-page.ts';
import { describeApi } from './openapi.ts';

/** The pages say all they need themselves: they load nothing from anywhere. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** Serves the OpenAPI document and two pages made from it and from the table of failures. */
export function addDocs(app: OpenAPIHono<AppEnv>, deps: AppDeps): void {
  const document = describeApi(app, deps);
  app.get('/openapi.json', anyone, (c) => c.json(document));
  app.get('/docs', anyone, (c) => page(c, renderDocs(document, deps)));
  app.get('/docs/errors', anyone, (c) => page(c, renderErrors()));
}

function page(
  c: Context<AppEnv>,
  content: ReturnType<typeof renderErrors>,
): Response | Promise<Response> {
  c.header('Content-Security-Policy', policy);
  return c.html(content);
}
