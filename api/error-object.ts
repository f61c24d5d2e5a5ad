import { z } from '@hono/zod-openapi';

const fields = {
  error_code: z.string().openapi({ example: 'WBL-AUTH' }),
  title: z.string(),
  blame: z.enum(['first_party', 'third_party', 'host', 'unknown']),
  documentation_url: z.string(),
  message: z.string(),
  trace: z.string().openapi({ description: 'Free of row data and of secrets.' }),
};

const ErrorObject = z.object(fields).openapi('Error');
const ModelError = z.object({ ...fields, error: z.string() }).openapi('ModelError');

// A union, because `nullable` of a named schema would be written as one that null does not fit.

/** The error of a transfer or of a connection test; null where there is none. */
export const ErrorOrNull = z.union([ErrorObject, z.null()]);

/** The error of one model of a transfer, with its short cause. */
export const ModelErrorOrNull = z.union([ModelError, z.null()]);
