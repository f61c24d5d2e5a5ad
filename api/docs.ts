import type { OpenAPIHono } from '@hono/zod-openapi';
import { Failure } from '../domain/failure.ts';
import { anyone } from './auth.ts';
import type { AppDeps, AppEnv } from './deps.ts';
import { renderDocs } from './docs-page.ts';
import { renderErrors } from './errors-page.ts';
import { answerPage } from './html-page.ts';
import { describeApi } from './openapi.ts';
import { renderVendor } from './vendor-page.ts';

/** Serves the OpenAPI document, and pages made from it, the table of failures and the declarations. */
export function addDocs(app: OpenAPIHono<AppEnv>, deps: AppDeps): void {
  const document = describeApi(app, deps);
  app.get('/openapi.json', anyone, (c) => c.json(document));
  app.get('/docs', anyone, (c) => answerPage(c, renderDocs(document, deps)));
  app.get('/docs/errors', anyone, (c) => answerPage(c, renderErrors()));
  app.get('/docs/vendors/:vendor', anyone, (c) => {
    const kind = c.req.param('vendor');
    const declaration = deps.registry.get(kind);
    if (declaration === undefined)
      throw new Failure('not_found', `There is no vendor ${kind.slice(0, 60)}.`);
    return answerPage(c, renderVendor(declaration));
  });
}
