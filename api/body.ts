import type { MiddlewareHandler } from 'hono';
import { Failure } from '../domain/failure.ts';
import type { AppEnv } from './deps.ts';
import { parseJson } from './json.ts';

const bodyBytesMax = 32 * 1024 * 1024;
const methodsWithBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * Makes every body JSON, whatever its Content-Type says: browser clients of this API send none, so that
 * theirs arrives as text. An empty body becomes `{}`.
 */
export const readBody: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { method } = c.req;
  if (!methodsWithBody.has(method)) return next();
  const value = parseJson(await readBytes(c.req.raw));
  const headers = new Headers(c.req.raw.headers);
  headers.set('content-type', 'application/json');
  c.req.raw = new Request(c.req.url, { method, headers, body: JSON.stringify(value) });
  await next();
};

/** @throws Failure `limit_reached` as soon as the limit is passed, whatever the length was said to be. */
async function readBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > bodyBytesMax) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(request)) {
    bytes += chunk.byteLength;
    if (bytes > bodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** @throws Failure `invalid` where the client goes away: a broken stream is no fault of ours. */
async function* chunksOf(request: Request): AsyncGenerator<Uint8Array> {
  try {
    yield* request.body ?? [];
  } catch (cause) {
    throw new Failure('invalid', 'The body ended before it was complete.', { cause });
  }
}

function tooLarge(): Failure {
  const megabytes = bodyBytesMax / 1024 / 1024;
  return new Failure(
    'limit_reached',
    `The body is larger than ${megabytes} MB. Send less at once.`,
  );
}
