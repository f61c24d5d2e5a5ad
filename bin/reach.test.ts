import { generateKeyPairSync } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { createReach } from './reach.ts';
import type { HostKeys } from './ssh-tunnel.ts';

const noKeys: HostKeys = {
  recall: async () => undefined,
  remember: async ({ fingerprint }) => fingerprint,
};
const config = {
  allowedNetworks: [],
  ownServicesOpen: false,
  databaseUrl: 'postgres://db.example.com/waybill',
  temporal: { address: '127.0.0.1:7233', namespace: 'default' },
};
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const login = { username: 'hop', privateKey, publicKey: 'ssh-rsa AAAA' };

/** A server that takes connections and says nothing. */
async function listen() {
  const sockets: { destroyed: boolean }[] = [];
  const server = createServer(
    (socket) => void sockets.push(socket.resume().on('error', () => undefined)),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, sockets, port: (server.address() as AddressInfo).port };
}

test('the guard stands before an SSH server as before any host', async () => {
  const { server, sockets, port } = await listen();
  const target = { host: 'db.internal', port: 5432, timeoutMs: 1000 };
  const tunnel = { ...login, host: '127.0.0.1', port };
  const closed = createReach(config, noKeys).socket({ ...target, tunnel });
  await expect(closed).rejects.toMatchObject({ name: 'GuardError', code: 'not_allowed' });
  expect(sockets).toEqual([]);
  server.close();
});

test('a server that says nothing is given up in time, and its connection with it', async () => {
  const { server, sockets, port } = await listen();
  const reach = createReach({ ...config, allowedNetworks: ['127.0.0.0/8'] }, noKeys);
  const target = { host: 'db.internal', port: 5432, timeoutMs: 300 };
  const startedAt = performance.now();
  const opening = reach.socket({ ...target, tunnel: { ...login, host: '127.0.0.1', port } });
  await expect(opening).rejects.toMatchObject({ name: 'TunnelError', code: 'unreachable' });
  expect(performance.now() - startedAt).toBeLessThan(5000);
  await expect.poll(() => sockets.every((socket) => socket.destroyed)).toBe(true);
  server.close();
});

test('without the private half nothing is sent, and the connection is closed', async () => {
  const { server, sockets, port } = await listen();
  const reach = createReach({ ...config, allowedNetworks: ['127.0.0.0/8'] }, noKeys);
  const tunnel = { ...login, privateKey: '', host: '127.0.0.1', port };
  const opening = reach.socket({ host: 'db.internal', port: 5432, timeoutMs: 1000, tunnel });
  await expect(opening).rejects.toThrow(
    'The key pair for the SSH server 127.0.0.1 is not there any more.',
  );
  await expect.poll(() => sockets.every((socket) => socket.destroyed)).toBe(true);
  server.close();
});
