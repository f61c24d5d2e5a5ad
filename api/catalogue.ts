import { createRoute, z } from '@hono/zod-openapi';
import { etag } from 'hono/etag';
import type { ConnectorDeclaration } from '../connectors/connector.ts';
import type { ConnectionRole } from '../db/connections.ts';
import type { AppDeps } from './deps.ts';
import { envelopeOf, success } from './envelope.ts';
import { buildForm, formSections, type FormOption } from './form-tree.ts';
import { CommaList } from './inputs.ts';
import { createRouter } from './router.ts';
import { answers, open } from './routes.ts';

// What a form needs to know before anybody has logged in. It changes with a release only.

const Vendor = z
  .object({
    key: z.string(),
    display: z.string(),
    docs: z.string(),
    icon_url: z.string(),
    disabled: z.boolean().openapi({ description: 'Its connector is not built yet.' }),
  })
  .openapi('Vendor');

const Vendors = envelopeOf(z.array(Vendor));

const Form = envelopeOf(
  z.object({
    sections: z.array(
      z.object({ id: z.string(), title: z.string(), subtitle: z.string().nullable() }),
    ),
    form: z.unknown().openapi({
      type: 'object',
      description: 'The root of the tree: the vendor selector.',
    }),
  }),
);

const cached = {
  ...open,
  method: 'get' as const,
  tags: ['Public'],
};

export const catalogue = createRouter();

// Answers are the same for everybody, so that browsers may ask whether theirs is still right.
catalogue.use('/public/destination-vendors', etag());
catalogue.use('/public/source-vendors', etag());
catalogue.use('/public/forms/*', etag());

catalogue
  .openapi(
    createRoute({
      ...cached,
      path: '/public/destination-vendors',
      summary: 'Kinds of destinations',
      responses: answers(Vendors, 400),
    }),
    (c) => {
      c.header('Cache-Control', 'public, max-age=300');
      return c.json(success(vendorsOf(c.var.deps, 'destination'), 'Vendors'), 200);
    },
  )
  .openapi(
    createRoute({
      ...cached,
      path: '/public/source-vendors',
      summary: 'Kinds of sources',
      responses: answers(Vendors, 400),
    }),
    (c) => {
      c.header('Cache-Control', 'public, max-age=300');
      return c.json(success(vendorsOf(c.var.deps, 'source'), 'Vendors'), 200);
    },
  )
  .openapi(
    createRoute({
      ...cached,
      path: '/public/forms/destination-vendors',
      summary: 'The form of a destination, as a tree',
      request: {
        query: z.object({
          vendor: CommaList.openapi({ description: 'Only these kinds.' }),
          org_id: z.string().optional().openapi({ description: 'Taken and not used.' }),
        }),
      },
      responses: answers(Form, 400),
    }),
    (c) => {
      c.header('Cache-Control', 'public, max-age=300');
      const form = formOf(c.var.deps, c.req.valid('query').vendor);
      return c.json(success({ sections: [...formSections], form }, 'Form'), 200);
    },
  );

/** The tree for all destinations, or for these kinds. */
export function formOf(deps: AppDeps, only?: readonly string[]) {
  const vendors = declared(deps, 'destination').filter(
    ({ kind }) => only === undefined || only.includes(kind),
  );
  return buildForm(
    vendors.map((declaration) => ({ declaration, option: optionOf(deps, declaration) })),
  );
}

function vendorsOf(deps: AppDeps, role: ConnectionRole) {
  return declared(deps, role).map((declaration) => optionOf(deps, declaration));
}

/** Those that can be connected first, then by name. */
function declared({ registry }: AppDeps, role: ConnectionRole): ConnectorDeclaration[] {
  const rank = ({ isPlanned }: ConnectorDeclaration) => (isPlanned === true ? 1 : 0);
  return [...registry.values()]
    .filter((one) => one[role] !== undefined)
    .toSorted((a, b) => rank(a) - rank(b) || a.title.localeCompare(b.title, 'en'));
}

function optionOf({ publicUrl }: AppDeps, { kind, title, isPlanned }: ConnectorDeclaration) {
  return {
    key: kind,
    display: title,
    docs: `${publicUrl}/docs/vendors/${kind}`,
    icon_url: monogram(title),
    disabled: isPlanned === true,
  } satisfies FormOption;
}

/** A picture that needs no other server: the first letter on a square. */
function monogram(title: string): string {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" ' +
    'fill="#e6ebf2"/><text x="16" y="22" font-family="sans-serif" font-size="17" text-anchor="middle" ' +
    `fill="#334a66">${title.slice(0, 1)}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
