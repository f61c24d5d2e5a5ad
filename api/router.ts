import { OpenAPIHono } from '@hono/zod-openapi';
import type { AppEnv } from './deps.ts';
import { invalidInput } from './errors.ts';

/** A group of routes whose input faults all become the one form of error. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success)
        throw invalidInput(result.error, 'data' in result ? result.data : undefined);
    },
  });
}
