import type { Server } from 'node:http';
import { createServer, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { ErrorEnvelope } from '../api/envelope.ts';
import { uuidv7 } from '../lib/uuid.ts';

/** The app, given a request and the connection that it came by. */
export type FetchCallback = Parameters<typeof getRequestListener>[0];

/**
 * HTTP in front of the app. What is not even a request never reaches the app, and is answered here in the
 * same form: clients parse JSON whatever the status.
 */
export function createHttpServer(options: { fetch: FetchCallback; hostname: string }): Server {
  const { fetch, hostname } = options;
  const listener = getRequestListener(fetch, { hostname, errorHandler: answerUnreadable });
  // Node would answer a request without a host itself, with an empty body.
  const server = createServer({ requireHostHeader: false }, (incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  return server.on('clientError', answerBroken);
}

function answerUnreadable(): Response {
  const { body, headers } = refusal('The request needs a valid path and a valid Host header.');
  return new Response(body, { status: 400, headers });
}

const broken: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The URL and the headers are larger than 16 KB together.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
};

function answerBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = broken[error.code ?? ''] ?? [400, 'This is no complete HTTP request.'];
  const { body, headers } = refusal(message);
  const lines = Object.entries({ ...headers, Connection: 'close' }).map((pair) => pair.join(': '));
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines].join('\r\n');
  socket.end(`${head}\r\n\r\n${body}`);
}

function refusal(message: string): { body: string; headers: Record<string, string> } {
  const envelope: ErrorEnvelope = { status: 'error', data: null, message, request_id: uuidv7() };
  const body = JSON.stringify(envelope);
  return {
    body,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
      'Access-Control-Allow-Origin': '*',
      'X-Request-Id': envelope.request_id,
    },
  };
}
