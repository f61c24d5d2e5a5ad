import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { choosePorts, findFreePort, isPortFree } from './free-port.ts';

const servers: Server[] = [];

async function occupy(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

describe('choosePorts', () => {
  test('names every taken port and the option that changes it', async () => {
    const [first, second] = [await occupy(), await occupy()];
    const wishes = [
      { purpose: 'the API', option: '--api-port', port: first },
      { purpose: 'Temporal', option: '--temporal-port', port: second },
      { purpose: 'Postgres', option: '--database-port', port: 0 },
    ];
    const failure = await choosePorts(wishes).catch((error: Error) => error);
    expect(failure).toMatchObject({ kind: 'config_invalid' });
    expect(String(failure)).toContain(`Port ${first} for the API is taken`);
    expect(String(failure)).toContain('--api-port');
    expect(String(failure)).toContain(`Port ${second} for Temporal is taken`);
    expect(String(failure)).not.toContain('Postgres');
  });

  test('takes the preferred port while it is free, and another while it is not', async () => {
    const [free, taken] = [await findFreePort(), await occupy()];
    const wish = { purpose: 'x', option: '--x', port: 0 };
    expect(await choosePorts([{ ...wish, preferred: free }])).toEqual([free]);
    const [other] = await choosePorts([{ ...wish, preferred: taken }]);
    expect(other).not.toBe(taken);
    expect(await isPortFree(other ?? 0)).toBe(true);
  });

  test('refuses one port for two things', async () => {
    const port = await findFreePort();
    const wishes = [
      { purpose: 'the API', option: '--api-port', port },
      { purpose: 'Postgres', option: '--database-port', port },
    ];
    await expect(choosePorts(wishes)).rejects.toThrow(
      'asked for twice, the second time by --database-port',
    );
  });
});
