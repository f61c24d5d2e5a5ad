import { connect } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '../db/api-keys.ts';
import { createMetadata, type Metadata } from '../test/harness/metadata.ts';
import { createTestTemporal, type TestTemporal } from '../test/harness/temporal.ts';
import { startChild, type Child } from './child.ts';

let metadata: Metadata;
let temporal: TestTemporal;
let key: string;

beforeAll(async () => {
  metadata = await createMetadata();
  temporal = await createTestTemporal();
  key = (await createApiKey(metadata.db, { environment: 'prod', name: 'test' })).key;
});

afterAll(async () => {
  await temporal[Symbol.asyncDispose]();
  await metadata[Symbol.asyncDispose]();
});

interface Started {
  readonly child: Child;
  readonly url: string;
  readonly lines: string[];
}

/** The API as a process of its own, on a free port. */
async function startApi(changes: NodeJS.ProcessEnv = {}): Promise<Started> {
  const lines: string[] = [];
  const listening = Promise.withResolvers<string>();
  const child = await startChild({
    command: process.execPath,
    args: [path.join(import.meta.dirname, 'api.ts')],
    env: {
      ...process.env,
      WAYBILL_DATABASE_URL: metadata.url,
      WAYBILL_KEY: `test:${Buffer.alloc(32, 7).toString('base64url')}`,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      WAYBILL_API_PORT: '0',
      ...changes,
    },
    output: {
      onLine: (line) => {
        lines.push(line);
        const port = /"port":(\d+).*api started/.exec(line)?.[1];
        if (port !== undefined) listening.resolve(`http://127.0.0.1:${port}`);
      },
    },
  });
  void child.exited.then((how) => listening.resolve(`ended: ${how}`));
  return { child, url: await listening.promise, lines };
}

test('the process answers over a socket, says it is ready, and ends cleanly on SIGTERM', async () => {
  const { child, url, lines } = await startApi();
  const ready = await fetch(`${url}/readyz`);
  expect(await ready.json()).toMatchObject({ status: 'success', data: { temporal: 'ok' } });
  const body = JSON.stringify({ recipient: { name: 'Näme 🚚', id_in_provider_system: 'one' } });
  const created = await fetch(`${url}/export/recipients`, {
    method: 'POST',
    headers: { 'X-API-KEY': key },
    body,
  });
  expect(await created.json()).toMatchObject({
    status: 'success',
    data: { recipient: { name: 'Näme 🚚' } },
  });
  const paged = await fetch(`${url}/recipients?page_size=1`, { headers: { 'X-API-KEY': key } });
  expect(paged.headers.get('access-control-allow-origin')).toBe('*');
  expect(await statusOf(url, 'TRACE')).toBe('405');
  await child.stop('SIGTERM', 10_000);
  expect(await child.exited).toBe('exit code 0');
  expect(lines.join()).toContain('api stopped');
  expect(lines.join()).not.toContain(key);
});

/** `fetch` refuses some methods, so this one speaks for itself. */
async function statusOf(url: string, method: string): Promise<string | undefined> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.end(`${method} /sources HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  return (await text(socket)).split(' ')[1];
}

test('a body that is too large is refused over a socket too, and the process lives on', async () => {
  const { child, url } = await startApi();
  const headers = { 'X-API-KEY': key };
  const answer = await fetch(`${url}/recipients`, {
    method: 'POST',
    headers,
    body: ' '.repeat(33 * 1024 * 1024),
  });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({ status: 'error', data: null });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await child.stop('SIGTERM', 10_000);
});

test('a client that goes away in the middle of its body does no harm', async () => {
  const { child, url } = await startApi();
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(
    `POST /recipients HTTP/1.1\r\nHost: x\r\nX-API-KEY: ${key}\r\nContent-Length: 1000\r\n\r\n{"recipient"`,
  );
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.destroy();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(child.hasExited()).toBe(false);
  await child.stop('SIGTERM', 10_000);
});

test('a port that is taken is named in one sentence', async () => {
  const first = await startApi();
  const port = new URL(first.url).port;
  const second = await startApi({ WAYBILL_API_PORT: port });
  expect(second.url).toBe('ended: exit code 1');
  expect(second.lines.join()).toContain(`WAYBILL_API_PORT ${port} on 127.0.0.1 is taken.`);
  await first.child.stop('SIGTERM', 10_000);
});

test('without its database and without Temporal the process runs and says what is missing', async () => {
  const { child, url } = await startApi({
    WAYBILL_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  const { errors } = (await ready.json()) as { errors: { path: string }[] };
  expect(errors.map((error) => error.path)).toEqual(['database', 'migrations', 'temporal']);
  const sources = await fetch(`${url}/sources`, { headers: { 'X-API-KEY': key } });
  expect(sources.status).toBe(503);
  await child.stop('SIGTERM', 10_000);
});
