import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forgetHostKey } from '../../db/host-keys.ts';
import type { SshServer } from '../harness/ssh-server.ts';
import { startSshServer } from '../harness/ssh-server.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitFor, waitForEnd } from '../harness/transfers.ts';
import type { Customer, Vendor } from '../harness/vendor.ts';
import {
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';

// Databases behind an SSH server: a customer's and the vendor's, with all that their owners do to get there.

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ limits: { batchRowsMax: 500 } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

interface Tested {
  readonly status: string;
  readonly message: string;
  readonly error: { readonly error_code: string; readonly blame: string } | null;
  readonly checks: readonly { readonly name: string; readonly status: string }[];
}

const tunnelOf = (bastion: { port: number }) => ({
  use_ssh_tunnel: true,
  ssh_tunnel: {
    ssh_tunnel_host: '127.0.0.1',
    ssh_tunnel_port: bastion.port,
    ssh_tunnel_username: 'hop',
    ssh_public_key: '',
  },
});

async function addCustomer(): Promise<Customer> {
  const tenant = randomUUID();
  await fill(vendor.sql, tenant, { rows: 2000, from: Math.floor(Math.random() * 1e12) });
  return await createCustomer(system, { vendor, tenant });
}

/** Sends a destination through the bastion. @returns the key that its owner has to add there */
async function enterTunnel({ destinationId }: Customer, bastion: SshServer): Promise<string> {
  const body = { destination: { postgres: tunnelOf(bastion) } };
  const { destination } = await system.api<{
    destination: { postgres: { ssh_tunnel: { ssh_public_key: string } } };
  }>('PATCH', `/destinations/${destinationId}`, body);
  return destination.postgres.ssh_tunnel.ssh_public_key;
}

function tryOut({ destinationId }: Customer): Promise<Tested> {
  return system.api<Tested>('POST', `/destinations/${destinationId}/test-connection`, {});
}

async function checkArrived(customer: Customer): Promise<void> {
  const rows = await rowsAtCustomer(customer);
  expect(rows).toHaveLength(2000);
  expect(rows).toEqual(await rowsAtSource(vendor, customer.tenant));
}

test('a refused login names the key to add, and rows travel once it is there', async () => {
  await using bastion = await startSshServer();
  await using customer = await addCustomer();
  const key = await enterTunnel(customer, bastion);
  expect(key).toMatch(/^ssh-rsa AAAA/);

  const refused = await tryOut(customer);
  expect(refused).toMatchObject({
    status: 'error',
    error: { error_code: 'WBL-SSHX', blame: 'third_party' },
    message: expect.stringContaining(key),
  });
  expect(refused.checks.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'resolve ok',
    'connect error',
  ]);
  expect(bastion.forwarded).toEqual([]);

  bastion.authorized.push(key);
  expect(await tryOut(customer)).toMatchObject({ status: 'success' });
  await transfer(system, customer.destinationId);
  await checkArrived(customer);
  expect(new Set(bastion.forwarded)).toEqual(new Set([customer.database.port]));
  const { answered, logged } = system;
  expect([...answered, ...logged].join('\n')).not.toContain('PRIVATE KEY');
});

test('a source is read through the tunnel with the key of the vendor', async () => {
  await using bastion = await startSshServer();
  await using customer = await addCustomer();
  const { sources } = await system.api<{ sources: { id: string; name: string }[] }>(
    'GET',
    '/sources',
  );
  const { id = '' } = sources.find(({ name }) => name === vendor.sourceName) ?? {};
  const { source } = await system.api<{
    source: { postgres: { ssh_tunnel: { ssh_public_key: string } } };
  }>('PATCH', `/sources/${id}`, { source: { postgres: tunnelOf(bastion) } });
  bastion.authorized.push(source.postgres.ssh_tunnel.ssh_public_key);
  await transfer(system, customer.destinationId);
  await checkArrived(customer);
  expect(bastion.forwarded.length).toBeGreaterThan(0);
  const back = { source: { postgres: { use_ssh_tunnel: false } } };
  await system.api('PATCH', `/sources/${id}`, back);
});

test('a transfer whose tunnel is cut under way goes on and loses nothing', async () => {
  await using bastion = await startSshServer();
  await using customer = await addCustomer();
  bastion.authorized.push(await enterTunnel(customer, bastion));
  const id = await submit(system, customer.destinationId);
  await waitFor(system, id, { until: () => bastion.forwarded.length > 0 });
  bastion.cut();
  expect((await waitForEnd(system, id)).status).toBe('SUCCESS');
  await checkArrived(customer);
});

test('a server that shows another key than before is refused until the operator forgets it', async () => {
  const first = await startSshServer();
  await using customer = await addCustomer();
  const key = await enterTunnel(customer, first);
  first.authorized.push(key);
  expect(await tryOut(customer)).toMatchObject({ status: 'success' });
  await first[Symbol.asyncDispose]();

  await using second = await startSshServer({ port: first.port });
  second.authorized.push(key);
  expect(await tryOut(customer)).toMatchObject({
    status: 'error',
    error: { error_code: 'WBL-SSHX' },
    message: expect.stringContaining('shows another key than before (SHA256:'),
  });
  expect(second.forwarded).toEqual([]);
  await forgetHostKey(system.metadata.db, { host: '127.0.0.1', port: second.port });
  expect(await tryOut(customer)).toMatchObject({ status: 'success' });
});

test('what is no SSH server, and a port behind it that is closed, say what they are', async () => {
  await using bastion = await startSshServer();
  await using customer = await addCustomer();
  const key = await enterTunnel(customer, { ...bastion, port: customer.database.port });
  expect(await tryOut(customer)).toMatchObject({
    error: { error_code: 'WBL-SSHX' },
    message: 'The SSH server 127.0.0.1 does not answer as one.',
  });
  bastion.authorized.push(key);
  await enterTunnel(customer, bastion);
  const body = { destination: { postgres: { port: 1 } } };
  const path = `/destinations/${customer.destinationId}/test-connection`;
  expect(await system.api<Tested>('POST', path, body)).toMatchObject({
    error: { error_code: 'WBL-SSHX' },
    message: 'The SSH server 127.0.0.1 does not reach the host behind it, or may not.',
  });
});
