import type { OpenAPIHono } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { anyone } from './auth.ts';
import type { AppEnv } from './deps.ts';
import { answerPage, pageOfHtml } from './html-page.ts';

/** Where magic links lead. It looks nothing up, so that it tells nobody whether a link is a real one. */
export function addConnectPage(app: OpenAPIHono<AppEnv>): void {
  app.get('/connect/:token', anyone, (c) => {
    // The address is a credential: it stays in no cache and goes to no other page.
    c.header('Cache-Control', 'no-store');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('X-Robots-Tag', 'noindex');
    return answerPage(c, page);
  });
}

const page = pageOfHtml(
  'Connect your database',
  html`<p>
      The form that belongs here comes with a later version of Waybill. Until then whoever sent you
      this link can add the destination for you, or tell you how to do it through the API, at
      <code>/public/magic-links/&lt;the last part of this address&gt;</code>.
    </p>
    <p>Keep the address to yourself: it lets its holder add one destination in your name.</p>`,
);
