import { OpenAPIHono } from '@hono/zod-openapi';
import { getPath } from 'hono/utils/url';
import { catalogue } from './catalogue.ts';
import { connectionTests } from './connection-tests.ts';
import type { AppDeps, AppEnv } from './deps.ts';
import { destinations } from './destinations.ts';
import { addDocs } from './docs.ts';
import { environmentSettings } from './environment-settings.ts';
import { answerError, answerUnknownPath } from './faults.ts';
import { forRecipient } from './for-recipient.ts';
import { health } from './health.ts';
import { integrityJobs } from './integrity-jobs.ts';
import { logs } from './logs.ts';
import { magicLinks } from './magic-links.ts';
import { publicMagicLinks } from './public-magic-links.ts';
import { addConnectPage } from './connect-page.ts';
import { refuseUnclassified } from './auth.ts';
import { machineTypes } from './machine-types.ts';
import { checkUrl, checkVersion, logRequest, openToBrowsers } from './middleware.ts';
import { modelChecks } from './model-checks.ts';
import { modelPlans } from './model-plan.ts';
import { modelProposals } from './model-proposals.ts';
import { models } from './models.ts';
import { products } from './products.ts';
import { limitRate } from './rate-limits.ts';
import { recipients } from './recipients.ts';
import { ringNotices } from './ring-notices.ts';
import { scopedTokens } from './scoped-tokens.ts';
import { sourceCredentials } from './source-credentials.ts';
import { sources } from './sources.ts';
import { sshKeys } from './ssh-keys.ts';
import { traceEndpoints } from './trace-endpoints.ts';
import { transferActions } from './transfer-actions.ts';
import { transfers } from './transfers.ts';
import { upserts } from './upserts.ts';
import { webhookDeliveries } from './webhook-deliveries.ts';
import { webhooks } from './webhooks.ts';

/** The whole HTTP API. It opens nobody's system: what must be tried is tried by a worker. */
export function createApp(deps: AppDeps): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({ getPath: canonicalPath });
  app.onError(answerError);
  app.notFound((c) => answerUnknownPath(c, app.routes));
  app.use(
    logRequest(deps),
    openToBrowsers,
    checkUrl,
    checkVersion,
    refuseUnclassified,
    ringNotices,
  );
  const { publicMax, sshKeysMax, proxies } = deps.rateLimits;
  app.use('/public/*', limitRate(publicMax, proxies));
  app.use('/actions/generate-ssh-key', limitRate(sshKeysMax, proxies));
  for (const routes of [
    health,
    sources,
    models,
    modelChecks,
    modelPlans,
    modelProposals,
    recipients,
    products,
    destinations,
    connectionTests,
    forRecipient,
    transfers,
    transferActions,
    integrityJobs,
    upserts,
    logs,
    scopedTokens,
    sshKeys,
    magicLinks,
    publicMagicLinks,
    machineTypes,
    catalogue,
    environmentSettings,
    webhooks,
    webhookDeliveries,
    traceEndpoints,
    sourceCredentials,
  ]) {
    app.route('/', routes);
  }
  addDocs(app, deps);
  addConnectPage(app);
  return app;
}

/** `/export/x`, `//x` and `/x/` are all `/x`: clients build paths in each of these ways. */
export function canonicalPath(request: Request): string {
  const path = getPath(request).replaceAll(/\/{2,}/g, '/');
  const withoutAlias = path.replace(/^\/export(?=\/|$)/, '');
  return withoutAlias.replace(/\/$/, '') || '/';
}
