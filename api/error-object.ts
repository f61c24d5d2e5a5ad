import { z } from '@hono/zod-openapi';
import type { ErrorObject } from '../domain/failure.ts';

/** The error of a transfer, of one of its models or of a connection test. */
export const ErrorBody = z
  .object({
    error_code: z.string().openapi({ example: 'WBL-AUTH' }),
    title: z.string(),
    blame: z.enum(['first_party', 'third_party', 'host', 'unknown']),
    documentation_url: z.string(),
    message: z.string(),
    trace: z.string().openapi({ description: 'Free of row data and of secrets.' }),
  })
  .openapi('Error');

/** The stored error with the link to its explanation. */
export function presentError(error: ErrorObject, publicUrl: string) {
  return {
    error_code: error.error_code,
    title: error.title,
    blame: error.blame,
    documentation_url: `${publicUrl}/docs/errors#${error.error_code}`,
    message: error.message,
    trace: error.trace,
  };
}
