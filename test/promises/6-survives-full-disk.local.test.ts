// Promise 6: a transfer survives everything but its operator. A destination without room, or a row without
// measure, shows nothing half written; where there is room again, the transfer goes on by itself.
import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../../bin/run-command.ts';
import type { PrivatePostgres } from '../harness/postgres-process.ts';
import { startPrivatePostgres } from '../harness/postgres-process.ts';
import type { System } from '../harness/system.ts';
import { createSystem } from '../harness/system.ts';
import { submit, transfer, waitForEnd } from '../harness/transfers.ts';
import type { Vendor } from '../harness/vendor.ts';
import {
  connectionBlock,
  createCustomer,
  createVendor,
  fill,
  rowsAtCustomer,
  rowsAtSource,
} from '../harness/vendor.ts';
import { failuresMet } from './6-failures-met.ts';
import { databaseOf, inSession } from './6-own-servers.ts';

const mebibyte = 1024 * 1024;
/** For what takes moments, on a machine that may be busy. */
const soon = { timeout: 40_000 };

let system: System;
let vendor: Vendor;

beforeAll(async () => {
  system = await createSystem({ limits: { batchBytesMax: 4 * mebibyte } });
  vendor = await createVendor(system);
});

afterAll(async () => {
  await vendor[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/**
 * The longest file that the server's new sessions may write, as a disk without room for more: the server
 * meets a short write either way, and any user may set the limit, where a small disk takes root. Within a
 * page, so that the write is short. Postgres from 16 on makes room for tables in another way, which a limit
 * does not look like.
 */
async function limitFiles({ server }: PrivatePostgres, bytes: number | 'unlimited'): Promise<void> {
  const args = ['--pid', String(server.pid), `--fsize=${bytes}:`];
  // Whoever runs the server may limit it; root in a container may not.
  const { uid, gid } = await stat(server.cluster);
  const account = process.getuid?.() === uid ? undefined : { uid, gid };
  const { failed, stderr } = await runCommand('prlimit', args, { account, timeoutMs: 10_000 });
  if (failed !== undefined) throw new Error(`This test needs prlimit of util-linux: ${stderr}`);
}

test('a first load into a full disk (a limit on files, on Postgres 15) goes on when there is room', async () => {
  const tenant = 'large';
  await fill(vendor.sql, tenant, { rows: 20_000 });
  // Short enough to stay in the table itself.
  await vendor.sql.query(/*sql*/ `update orders set note = repeat('x', 1800) where tenant = $1`, [
    tenant,
  ]);
  await using server = await startPrivatePostgres({ major: 15 });
  const postgres = connectionBlock(databaseOf(server), 'vendor_data');
  await using customer = await createCustomer(system, {
    ...{ vendor, tenant },
    destination: { postgres },
  });
  // Beyond the files of its log, which have 16 MiB.
  await limitFiles(server, 24 * mebibyte + 4096);
  const id = await submit(system, customer.destinationId);
  await expect.poll(() => failuresMet(system, id), soon).not.toEqual([]);
  expect(failuresMet(system, id)[0]).toMatchObject({
    kind: 'destination_busy',
    code: 'QUOT',
    msg: expect.stringContaining('The destination has no disk space left: make room there'),
  });
  const landed = () => inSession(server, (sql) => rowsAtCustomer({ ...customer, sql }));
  await expect(landed()).rejects.toThrow('does not exist');
  await limitFiles(server, 'unlimited');
  const ended = await waitForEnd(system, id);
  expect(ended).toMatchObject({ status: 'SUCCESS', rows_transferred: 20_000 });
  expect(await landed()).toEqual(await rowsAtSource(vendor, tenant));
});

test('a row longer than 64 MiB is refused, and its batch and all before it stay out of sight', async () => {
  const tenant = 'long';
  await fill(vendor.sql, tenant, { rows: 10, from: 100_000 });
  const setNote = (note: string) =>
    vendor.sql.query(/*sql*/ `update orders set note = ${note} where id = 100005`);
  await setNote(`repeat('x', ${65 * mebibyte})`);
  await using customer = await createCustomer(system, { vendor, tenant });
  const refused = await waitForEnd(system, await submit(system, customer.destinationId));
  expect(refused).toMatchObject({ status: 'ERROR', error: { error_code: 'WBL-LIMT' } });
  expect(refused.error?.message).toContain('longer than 67108864 bytes');
  await expect(rowsAtCustomer(customer)).rejects.toThrow('does not exist');
  await setNote(`'short'`);
  await transfer(system, customer.destinationId);
  expect(await rowsAtCustomer(customer)).toEqual(await rowsAtSource(vendor, tenant));
});
