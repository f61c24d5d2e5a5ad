import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGuard, openSocket, type Lookup } from './guard.ts';
import { sendHttp } from './send-http.ts';

let server: Server;
let port: number;
const paths: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    paths.push(request.url ?? '');
    if (request.url === '/hangs') return;
    const status = request.url === '/moved' ? 302 : 200;
    response.writeHead(status, { Location: '/elsewhere' }).end('ignored');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** Sends through the guard, as everything that goes out does. */
function send(
  url: string,
  { allowed = ['127.0.0.0/8'], lookup }: { allowed?: string[]; lookup?: Lookup } = {},
) {
  const guard = createGuard({ allowedNetworks: allowed, forbidden: [] });
  return sendHttp({
    method: 'POST',
    url,
    headers: {},
    body: '{}',
    timeoutMs: 1000,
    connect: async ({ host, port: to, timeoutMs }) =>
      openSocket(await guard.resolve(host, to, { lookup }), { timeoutMs }),
  });
}

test('gives the status of the answer, and follows no redirect', async () => {
  expect(await send(`http://127.0.0.1:${port}/ok`)).toBe(200);
  expect(await send(`http://127.0.0.1:${port}/moved`)).toBe(302);
  expect(paths).not.toContain('/elsewhere');
});

test('does not reach an address that the operator has not opened, whatever its name is', async () => {
  const refused = { message: 'Connections to the address of this host are not allowed here.' };
  await expect(send(`http://127.0.0.1:${port}/closed`, { allowed: [] })).rejects.toMatchObject(
    refused,
  );
  const lookup = async () => [{ address: '127.0.0.1' }];
  const named = send(`http://hooks.example.com:${port}/closed`, { allowed: [], lookup });
  await expect(named).rejects.toMatchObject(refused);
  expect(paths).not.toContain('/closed');
});

test('connects to the address that was checked, although the name points elsewhere by then', async () => {
  let looks = 0;
  const rebinding = async () => {
    looks += 1;
    return [{ address: looks === 1 ? '127.0.0.1' : '10.0.0.1' }];
  };
  expect(await send(`http://rebinds.example.com:${port}/bound`, { lookup: rebinding })).toBe(200);
  expect(looks).toBe(1);
});

test('gives up on one that does not answer, and says so', async () => {
  await expect(send(`http://127.0.0.1:${port}/hangs`)).rejects.toThrow('No answer came in time.');
});

test('does not speak TLS with whoever has no certificate', async () => {
  await expect(send(`https://127.0.0.1:${port}/tls`)).rejects.toThrow('TLS failed');
});
