import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpServer } from './http-server.ts';

let server: Server;

beforeAll(async () => {
  server = createHttpServer({ fetch: async () => Response.json({}), hostname: '127.0.0.1' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
});

/** What comes back for bytes that a client writes, up to the end of the connection. */
async function answerTo(bytes: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(bytes);
  return await text(socket);
}

test.each([
  ['what is no HTTP', 'GARBAGE\r\n\r\n', 400],
  ['a bad host', 'GET /x HTTP/1.1\r\nHost: bad host\r\nConnection: close\r\n\r\n', 400],
  ['a star', 'GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
  ['an unknown method', 'FOO /sources HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ['a URL without end', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
])('%s is refused in JSON', async (_, bytes, status) => {
  const answer = await answerTo(bytes);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toContain(`HTTP/1.1 ${status} `);
  expect(head.toLowerCase()).toContain('access-control-allow-origin: *');
  expect(JSON.parse(body)).toMatchObject({ status: 'error', data: null });
});

test('a request without a host is one all the same', async () => {
  const answer = await answerTo('GET /x HTTP/1.1\r\nConnection: close\r\n\r\n');
  expect(answer).toContain('HTTP/1.1 200 ');
});
