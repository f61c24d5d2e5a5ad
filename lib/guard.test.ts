import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGuard, GuardError, openSocket, type GuardOptions, type Lookup } from './guard.ts';

const noLookup: Lookup = () => Promise.reject(new Error('no name was expected'));

interface Case extends Partial<GuardOptions> {
  readonly host: string;
  readonly port?: number;
  readonly lookup?: Lookup;
}

async function check({ host, port = 5432, lookup = noLookup, ...options }: Case): Promise<string> {
  const guard = createGuard({ allowedNetworks: [], forbidden: [], ...options });
  try {
    const target = await guard.resolve(host, port, { lookup });
    return target.address;
  } catch (error) {
    if (error instanceof GuardError) return error.code;
    throw error;
  }
}

const names =
  (...addresses: string[]): Lookup =>
  async () =>
    addresses.map((address) => ({ address }));

describe('literals in hostile spellings are checked as the address they mean', () => {
  const loopbacks = [
    ...[
      '127.0.0.1',
      '127.1',
      '127.0.1',
      '2130706433',
      '0x7f000001',
      '0x7F.1',
      '0177.0.0.1',
      '017700000001',
    ],
    ...[
      '127.0.0.1.',
      '0x7f.0x0.0x0.0x1',
      '127.255.255.254',
      '①②⑦.⓪.⓪.①',
      '127。0。0。1',
      '%31%32%37.0.0.1',
    ],
    ...['::1', '[::1]', '0:0:0:0:0:0:0:1', '0000::0001', '::127.0.0.1', '::7f00:1'],
    ...['::ffff:127.0.0.1', '::FFFF:7F00:1', '[::FfFf:127.0.0.1]', '0:0:0:0:0:ffff:127.0.0.1'],
    ...[
      '::ffff:0:127.0.0.1',
      '64:ff9b::127.0.0.1',
      '64:FF9B::7f00:1',
      '2002:7f00:1::',
      '2002:7f00:0001::1',
    ],
  ];
  const closed = [
    ...['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '100.127.255.255'],
    ...[
      '169.254.169.254',
      '0xa9fea9fe',
      '2852039166',
      '::ffff:169.254.169.254',
      '2002:a9fe:a9fe::',
    ],
    ...[
      '0.0.0.0',
      '0',
      '00',
      '0x0',
      '0.1.2.3',
      '255.255.255.255',
      '224.0.0.1',
      '239.1.1.1',
      '240.0.0.1',
    ],
    ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '192.0.0.192', '168.63.129.16'],
    ...[
      '::',
      'fe80::1',
      'FE80::A',
      'fec0::1',
      'fc00::1',
      'fd12:3456::1',
      'fd00:ec2::254',
      'ff02::1',
    ],
    ...[
      '2001:db8::1',
      '2001::1',
      '64:ff9b:1::1',
      '100::1',
      '3fff::1',
      '64:ff9b::10.0.0.1',
      '2002:a00:1::',
    ],
  ];
  test.each([...loopbacks, ...closed])('%s', async (host) => {
    expect(await check({ host })).toBe('not_allowed');
  });

  const invalid = [
    ...[
      '',
      ' ',
      '.',
      '..',
      'a..b',
      'a b',
      'a\0b',
      '*.example.com',
      'user@host',
      'host:5432',
      '[::1]:5432',
    ],
    ...[
      '/var/run/postgresql',
      '@socket',
      'file:///etc/passwd',
      'http://127.0.0.1/',
      '127.0.0.1/8',
      '?',
      '#',
    ],
    ...[
      'fe80::1%eth0',
      '[fe80::1%25eth0]',
      '::1%lo',
      '256.1.1.1',
      '1.2.3.4.5',
      'example.123',
      '0x',
      '4294967296',
    ],
    ...[
      '127.0.0.1,10.0.0.1',
      `${'a'.repeat(64)}.com`,
      `${'a.'.repeat(130)}com`,
      '[127.0.0.1',
      '::1::2',
    ],
  ];
  test.each(invalid)('%j is no host', async (host) => {
    expect(['invalid_host', 'not_allowed']).toContain(await check({ host }));
  });
});

test.each([
  ['8.8.8.8', '8.8.8.8'],
  ['134744072', '8.8.8.8'],
  ['::ffff:8.8.8.8', '8.8.8.8'],
  ['64:ff9b::808:808', '64:ff9b::808:808'],
  ['[2606:4700:0:0::1111]', '2606:4700::1111'],
  ['172.32.0.1', '172.32.0.1'],
  ['100.128.0.1', '100.128.0.1'],
])('the public address %s goes through as %s', async (host, address) => {
  expect(await check({ host })).toBe(address);
});

test.each([0, -1, 65536, 1.5, Number.NaN])('%d is no port', async (port) => {
  expect(await check({ host: '8.8.8.8', port })).toBe('invalid_host');
});

describe('names', () => {
  test('are looked up once, in lower case and without the closing dot', async () => {
    const asked: string[] = [];
    const lookup: Lookup = async (name) => {
      asked.push(name);
      return [{ address: '8.8.8.8' }];
    };
    const target = await createGuard({ allowedNetworks: [], forbidden: [] }).resolve(
      'DB.Bücher.Example.',
      1,
      { lookup },
    );
    expect(asked).toEqual(['db.xn--bcher-kva.example']);
    expect(target).toMatchObject({
      host: 'db.xn--bcher-kva.example',
      address: '8.8.8.8',
      family: 4,
      port: 1,
    });
  });

  test('are refused when any of their addresses is closed', async () => {
    expect(await check({ host: 'mixed', lookup: names('8.8.8.8', '10.0.0.1') })).toBe(
      'not_allowed',
    );
    expect(await check({ host: 'mixed', lookup: names('8.8.8.8', '::ffff:10.0.0.1') })).toBe(
      'not_allowed',
    );
    expect(await check({ host: 'zone', lookup: names('fe80::1%eth0') })).toBe('not_allowed');
    expect(await check({ host: 'LOCALHOST', lookup: names('127.0.0.1') })).toBe('not_allowed');
  });

  test('without an address are unknown', async () => {
    expect(await check({ host: 'nobody', lookup: names() })).toBe('unknown_host');
    expect(await check({ host: 'nobody', lookup: noLookup })).toBe('unknown_host');
  });

  test('that change their answer are used with the one that was checked', async () => {
    const answers = ['8.8.8.8', '127.0.0.1'];
    const lookup: Lookup = async () => [{ address: answers.shift() ?? '127.0.0.1' }];
    const guard = createGuard({
      allowedNetworks: [],
      forbidden: [{ host: 'db.internal', port: 9999 }],
    });
    const target = await guard.resolve('rebind.example', 5432, { lookup });
    expect(target.addresses).toEqual([{ address: '8.8.8.8', family: 4 }]);
    expect(answers).toEqual(['127.0.0.1']);
    await expect(guard.resolve('rebind.example', 5432, { lookup })).rejects.toThrow(GuardError);
  });

  test('are not waited for after an abort', async () => {
    const stop = new AbortController();
    const guard = createGuard({ allowedNetworks: [], forbidden: [] });
    const lookup: Lookup = () => new Promise(() => undefined);
    const work = guard.resolve('slow.example', 1, { lookup, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
    await expect(guard.resolve('8.8.8.8', 1, { signal: stop.signal })).rejects.toThrow('enough');
  });
});

describe('allowed networks', () => {
  const allowedNetworks = ['127.0.0.0/8', '10.1.0.0/16', 'fd00::/8', '::1', '0.0.0.0/0', '::/0'];

  test.each(['127.0.0.1', '10.1.2.3', '192.168.0.1', 'fd12::1', '::1', '64:ff9b::10.1.0.1'])(
    'open %s',
    async (host) => {
      expect(await check({ host, allowedNetworks })).not.toBe('not_allowed');
    },
  );

  test('open no more than they name', async () => {
    expect(await check({ host: '10.2.0.1', allowedNetworks: ['10.1.0.0/16'] })).toBe('not_allowed');
    expect(await check({ host: '::1', allowedNetworks: ['127.0.0.0/8'] })).toBe('not_allowed');
  });

  test.each([
    '169.254.169.254',
    'fe80::1',
    'fd00:ec2::254',
    '100.100.100.200',
    '0.0.0.0',
    '224.0.0.1',
    '::',
  ])('never open %s', async (host) =>
    expect(await check({ host, allowedNetworks })).toBe('not_allowed'),
  );

  test.each([
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'example.com',
    '10.0.0.0/-1',
    'fd00::/129',
  ])('%j is refused when the guard is made', (network) =>
    expect(() => createGuard({ allowedNetworks: [network], forbidden: [] })).toThrow(RangeError),
  );
});

describe('our own services stay closed', () => {
  const allowedNetworks = ['127.0.0.0/8', '::1', '0.0.0.0/0', '::/0'];
  const forbidden = [
    { host: 'localhost', port: 5432 },
    { host: '8.8.4.4', port: 7233 },
  ];
  const lookup: Lookup = async (name) => [
    { address: name === 'localhost' ? '127.0.0.1' : '8.8.4.4' },
  ];

  test('by name and by address, at their port only', async () => {
    const common = { allowedNetworks, forbidden, lookup };
    expect(await check({ ...common, host: '127.0.0.1' })).toBe('not_allowed');
    expect(await check({ ...common, host: '127.0.0.1', port: 5433 })).toBe('127.0.0.1');
    expect(await check({ ...common, host: '::ffff:8.8.4.4', port: 7233 })).toBe('not_allowed');
    expect(await check({ ...common, host: 'alias.example', port: 7233 })).toBe('not_allowed');
    expect(await check({ ...common, host: 'alias.example', port: 7234 })).toBe('8.8.4.4');
  });

  test('under every other address of this machine', async () => {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const fixed = own
      .map((entry) => entry.address)
      .filter((address) => !address.startsWith('fe80:'));
    for (const host of ['127.9.9.9', '::1', ...fixed]) {
      const answer = await check({ host, allowedNetworks, forbidden, lookup });
      expect({ host, answer }).toEqual({ host, answer: 'not_allowed' });
    }
  });
});

describe('a socket', () => {
  const server = createServer((socket) => socket.end('hello'));
  const guard = createGuard({ allowedNetworks: ['127.0.0.0/8', '::1'], forbidden: [] });
  let port = 0;
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => void server.close());

  test('is opened to the first address that answers', async () => {
    const target = await guard.resolve('two.example', port, {
      lookup: names('127.0.0.2', '127.0.0.1'),
    });
    const socket = await openSocket(target, { timeoutMs: 5_000 });
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    socket.destroy();
  });

  test('that nobody answers is unreachable, without saying how', async () => {
    const target = await guard.resolve('127.0.0.3', port);
    const error = await openSocket(target, { timeoutMs: 5_000 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unreachable', message: 'The host is unreachable.' });
  });

  test('that does not open in time reads the same', async () => {
    const nowhere = { address: '192.0.2.1', family: 4 as const };
    const target = { ...nowhere, addresses: [nowhere, nowhere], port: 9, host: 'nowhere.example' };
    const error = await openSocket(target, { timeoutMs: 40 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unreachable', message: 'The host is unreachable.' });
  });

  test('is not opened after an abort', async () => {
    const target = await guard.resolve('127.0.0.1', port);
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(openSocket(target, { timeoutMs: 5_000, signal })).rejects.toThrow('stopped');
  });
});
