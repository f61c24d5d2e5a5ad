import type { OpenAPIHono } from '@hono/zod-openapi';
import { anyone } from './auth.ts';
import type { AppDeps, AppEnv } from './deps.ts';
import { renderDocs } from './docs-page.ts';
import { renderErrors } from './errors-page.ts';
import { answerPage } from './html-page.ts';
import { describeApi } from './openapi.ts';

/** Serves the OpenAPI document and two pages made from it and from the table of failures. */
export function addDocs(app: OpenAPIHono<AppEnv>, deps: AppDeps): void {
  const document = describeApi(app, deps);
  app.get('/openapi.json', anyone, (c) => c.json(document));
  app.get('/docs', anyone, (c) => answerPage(c, renderDocs(document, deps)));
  app.get('/docs/errors', anyone, (c) => answerPage(c, renderErrors()));
}
