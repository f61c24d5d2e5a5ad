import { createRoute, z } from '@hono/zod-openapi';
import { pingDatabase } from '../db/database.ts';
import type { Violation } from '../domain/failure.ts';
import { Failure, toFailure } from '../domain/failure.ts';
import { environments } from '../domain/statuses.ts';
import type { AppDeps } from './deps.ts';
import { ErrorEnvelope, envelopeOf, success } from './envelope.ts';
import { createRouter } from './router.ts';
import { answers, open, withKey } from './routes.ts';

/** Who asks whether we are ready wants an answer, not to wait for a part that hangs. */
const partMsMax = 5000;

const parts = ['database', 'migrations', 'temporal'] as const;
type Part = (typeof parts)[number];

const Ready = z.object({
  database: z.literal('ok'),
  migrations: z.literal('ok'),
  temporal: z.literal('ok'),
});

export const health = createRouter()
  .openapi(
    createRoute({
      ...withKey,
      method: 'get',
      path: '/',
      tags: ['Service'],
      summary: 'Check a key',
      responses: answers(envelopeOf(z.object({ environment: z.enum(environments) })), 401),
    }),
    (c) => c.json(success({ environment: c.var.environment }, 'The API key is valid'), 200),
  )
  .openapi(
    createRoute({
      ...open,
      method: 'get',
      path: '/healthz',
      tags: ['Service'],
      summary: 'Does the process run?',
      responses: answers(envelopeOf(z.object({}))),
    }),
    (c) => c.json(success({}, 'The process runs'), 200),
  )
  .openapi(
    createRoute({
      ...open,
      method: 'get',
      path: '/readyz',
      tags: ['Service'],
      summary: 'Are database, migrations and workflow engine there?',
      responses: {
        ...answers(envelopeOf(Ready)),
        503: {
          description: '`errors` names each part that is not there.',
          content: { 'application/json': { schema: ErrorEnvelope } },
        },
      },
    }),
    async (c) => {
      const states = await Promise.all(parts.map((part) => faultOf(part, c.var.deps)));
      const faults = states.filter((fault) => fault !== undefined);
      if (faults.length === 0) {
        return c.json(
          success({ database: 'ok', migrations: 'ok', temporal: 'ok' } as const, 'Ready'),
          200,
        );
      }
      const message = faults.map((fault) => fault.message).join(' ');
      throw new Failure('unavailable', message, { violations: faults });
    },
  );

async function faultOf(part: Part, deps: AppDeps): Promise<Violation | undefined> {
  try {
    await withinTime(part, probes[part](deps));
    return undefined;
  } catch (error) {
    const failure = toFailure(error);
    const message =
      failure.kind === 'bug' ? `The ${part} could not be looked at.` : failure.message;
    return { path: part, code: 'not_ready', message };
  }
}

const probes: Record<Part, (deps: AppDeps) => Promise<void>> = {
  database: ({ db }) => pingDatabase(db),
  temporal: ({ workflows }) => workflows.ping(),
  migrations: async ({ pendingMigrations }) => {
    const pending = await pendingMigrations();
    if (pending.length === 0) return;
    const message = `The database lacks migrations (${pending.join(', ')}). Run: npm run db:migrate.`;
    throw new Failure('unavailable', message);
  },
};

async function withinTime(part: Part, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = new Failure(
    'unavailable',
    `The ${part} did not answer within ${partMsMax / 1000} s.`,
  );
  const timer = setTimeout(() => reject(late), partMsMax);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
