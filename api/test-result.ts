import { z } from '@hono/zod-openapi';
import type { ConnectionReport } from '../domain/probe.ts';
import { envelopeOf } from './envelope.ts';
import { presentError } from '../domain/error-json.ts';
import { ErrorOrNull } from './error-object.ts';

const Check = z.object({
  name: z.string().openapi({ example: 'authenticate' }),
  status: z.enum(['ok', 'warning', 'error']),
  message: z.string(),
  fix: z.string().nullable().openapi({ description: 'The statement or setting that is missing.' }),
});

const outcome = {
  status: z.enum(['success', 'error']).openapi({ description: 'The outcome of the test.' }),
  message: z.string(),
  error: ErrorOrNull,
  checks: z.array(Check),
};

/** The tried object in the form in which it is read; what is not saved is null. */
const tried = z.looseObject({ vendor: z.string() });

export const SourceTest = envelopeOf(z.object({ ...outcome, source: tried }).openapi('SourceTest'));
export const DestinationTest = envelopeOf(
  z.object({ ...outcome, destination: tried }).openapi('DestinationTest'),
);

/** What a worker found, in the words of the API. */
export function presentReport(report: ConnectionReport, publicUrl: string) {
  const failed = report.findings.find(({ status }) => status === 'error');
  return {
    status:
      failed === undefined && report.error === null ? ('success' as const) : ('error' as const),
    message: failed?.message ?? report.error?.message ?? 'The connection works.',
    error: report.error && presentError(report.error, publicUrl),
    checks: report.findings.map(({ name, status, message, fix }) => ({
      name,
      status,
      message,
      fix: fix ?? null,
    })),
  };
}
