import { z } from '@hono/zod-openapi';

/** What went wrong at one place of the request. */
export const ErrorDetail = z
  .object({
    path: z.string().openapi({ description: 'Where, in the words of the request.' }),
    code: z.string(),
    message: z.string(),
  })
  .openapi('ErrorDetail', {
    example: { path: 'source.name', code: 'required', message: 'name is missing.' },
  });

/** Every answer that is not a success, whatever its HTTP status. */
export const ErrorEnvelope = z
  .object({
    status: z.literal('error'),
    data: z.null(),
    message: z.string().openapi({ description: 'A sentence for a person.' }),
    errors: z.array(ErrorDetail).optional(),
    request_id: z.string().openapi({ description: 'Also sent as the header X-Request-Id.' }),
  })
  .openapi('ErrorEnvelope');
export type ErrorEnvelope = z.infer<typeof ErrorEnvelope>;

export interface Success<T> {
  readonly status: 'success';
  readonly data: T;
  readonly message: string;
}

/** The body of a success. */
export function success<T>(data: T, message: string): Success<T> {
  return { status: 'success', data, message };
}

/** Schema of the answer with one object, or of any other `data`. */
export function envelopeOf<T extends z.ZodType>(data: T) {
  return z.object({ status: z.literal('success'), data, message: z.string() });
}

/** Schema of the answer with one object under its name in the singular. */
export function singleOf<K extends string, T extends z.ZodType>(key: K, item: T) {
  return envelopeOf(z.object({ [key]: item } as Record<K, T>));
}

/** Schema of one page of a list under its name in the plural. */
export function pageOf<K extends string, T extends z.ZodType>(key: K, item: T) {
  return z.object({
    status: z.literal('success'),
    data: z.object({ [key]: z.array(item) } as Record<K, z.ZodArray<T>>),
    message: z.string(),
    has_next: z.boolean(),
    next_url: z.string().optional().openapi({ description: 'Only where has_next is true.' }),
  });
}

/** Schema of the answer to a deletion: clients parse JSON whatever the status. */
export const EmptyEnvelope = envelopeOf(z.object({}));
