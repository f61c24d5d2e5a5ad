import { createServer, type AddressInfo } from 'node:net';
import { Failure } from '../domain/failure.ts';

const loopback = '127.0.0.1';

/** One port of ours: what it is for, which number was asked for, and how to ask for another. */
export interface PortWish {
  /** For people: `the API`. */
  readonly purpose: string;
  /** The option that changes it: `--api-port`. */
  readonly option: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** With port 0: taken again while it is free, so that addresses outlive a restart. */
  readonly preferred?: number | undefined;
}

/** A port on this machine that nobody listens on now. */
export async function findFreePort(): Promise<number> {
  return listenOnce(0);
}

/** True while a server could listen on the port of the loopback address. */
export async function isPortFree(port: number): Promise<boolean> {
  try {
    await listenOnce(port);
    return true;
  } catch {
    return false;
  }
}

/**
 * The ports to use, in the order of the wishes.
 * Fails with `config_invalid`, naming every port that is taken and the option that changes it.
 */
export async function choosePorts(wishes: readonly PortWish[]): Promise<number[]> {
  const taken: string[] = [];
  const ports: number[] = [];
  for (const wish of wishes) {
    const port = wish.port === 0 ? await freeOrPreferred(wish.preferred, ports) : wish.port;
    if (wish.port !== 0 && !(await isPortFree(port))) taken.push(takenSentence(wish));
    if (ports.includes(port))
      taken.push(`Port ${port} is asked for twice, the second time by ${wish.option}.`);
    ports.push(port);
  }
  if (taken.length > 0) throw new Failure('config_invalid', taken.join('\n'));
  return ports;
}

function takenSentence(wish: PortWish): string {
  return (
    `Port ${wish.port} for ${wish.purpose} is taken by another program. ` +
    `Stop that program, or choose another port with ${wish.option} (0 takes a free one).`
  );
}

async function freeOrPreferred(
  preferred: number | undefined,
  chosen: readonly number[],
): Promise<number> {
  if (preferred !== undefined && !chosen.includes(preferred) && (await isPortFree(preferred)))
    return preferred;
  return findFreePort();
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, loopback, () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve(bound));
    });
  });
}
