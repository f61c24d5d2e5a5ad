import { request as requestHttp } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface HttpSend {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** From the first byte to the head of the answer, connecting included. */
  readonly timeoutMs: number;
  /** The one way out: a connected socket to a checked address. */
  readonly connect: (target: { host: string; port: number; timeoutMs: number }) => Promise<Socket>;
  /** Authorities to believe besides the usual ones, PEM. For tests. */
  readonly ca?: string | undefined;
}

/**
 * Sends one request and gives the status of the answer. Redirects are not followed, and nothing of the
 * answer's body is read. @throws what connecting throws, or an Error whose message may be shown
 */
export async function sendHttp(send: HttpSend): Promise<number> {
  const url = new URL(send.url);
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port || (isTls ? 443 : 80));
  const signal = AbortSignal.timeout(send.timeoutMs);
  const plain = await send.connect({ host, port, timeoutMs: send.timeoutMs });
  try {
    const socket = isTls ? await secured(plain, { host, ca: send.ca, signal }) : plain;
    return await exchange(send, { url, socket, signal });
  } finally {
    plain.destroy();
  }
}

function secured(
  socket: Socket,
  { host, ca, signal }: { host: string; ca: string | undefined; signal: AbortSignal },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      socket,
      // Only names can be asked for: an address is verified as the certificate's own.
      ...(/^[\d.]+$|:/.test(host) ? { host } : { servername: host, host }),
      ...(ca !== undefined && { ca }),
    });
    tls.once('secureConnect', () => resolve(tls));
    tls.once('error', () =>
      reject(new Error('TLS failed: the certificate is not valid for this host.')),
    );
    signal.addEventListener('abort', () => reject(new Error(late)), { once: true });
  });
}

const late = 'No answer came in time.';

function exchange(
  { method, headers, body }: HttpSend,
  { url, socket, signal }: { url: URL; socket: Socket; signal: AbortSignal },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = requestHttp({
      method,
      path: `${url.pathname}${url.search}`,
      headers: {
        Host: url.host,
        ...headers,
        ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }),
        Connection: 'close',
      },
      createConnection: () => socket,
      signal,
    });
    request.once('response', (response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    request.once('error', () => {
      reject(new Error(signal.aborted ? late : 'The connection broke before an answer came.'));
    });
    request.end(body);
  });
}
