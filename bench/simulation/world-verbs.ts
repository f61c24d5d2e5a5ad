import { request as ask, Agent } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Batch, LoadClose, ReadRequest, SchemaChange } from '../../connectors/connector.ts';
import { Failure, type ErrorCode, type FailureKind } from '../../domain/failure.ts';
import type { LoadPlan } from '../../domain/load.ts';
import type { Relation, SharedTable } from '../../domain/model.ts';

/** A batch as text: the memory connector speaks nothing but `copy_text`. */
export type WireBatch = Omit<Batch, 'chunks'> & { readonly text: string };

type LoadVerb = { readonly store: string; readonly plan: LoadPlan };

/** What can be asked of the world: the first six by the simulation, the others by a worker's connector. */
export type Verb =
  | { verb: 'tables'; tables: readonly string[] }
  | { verb: 'advance'; seconds: number }
  | { verb: 'write'; tenant: string; rows: number; note: string }
  | { verb: 'hold'; tenant: string }
  | { verb: 'release' }
  | { verb: 'compare'; tenant: string; store: string }
  | { verb: 'describeSource'; relation: Relation }
  | { verb: 'encodings'; table: SharedTable }
  | { verb: 'fence' }
  | { verb: 'read'; request: ReadRequest; pauseMs: number }
  | { verb: 'describe'; store: string; table: string }
  | { verb: 'recall'; store: string; modelId: string }
  | { verb: 'apply'; store: string; change: SchemaChange }
  | ({ verb: 'open' } & LoadVerb)
  | ({ verb: 'writeBatch'; batch: WireBatch } & LoadVerb)
  | ({ verb: 'startCatchUp'; fence: string } & LoadVerb)
  | ({ verb: 'finish'; close: LoadClose } & LoadVerb);

const agent = new Agent({ keepAlive: true });

/** @throws Failure as the world threw it, or `destination_unreachable` where it is away. */
export async function askWorld<T>(port: number, verb: Verb): Promise<T> {
  const { value } = JSON.parse(await text(await open(port, verb))) as { value: T };
  return value;
}

export async function* readWorld(
  port: number,
  verb: Extract<Verb, { verb: 'read' }>,
  signal: AbortSignal,
): AsyncGenerator<WireBatch, void, undefined> {
  let rest = '';
  for await (const chunk of await open(port, verb, signal)) {
    rest += String(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as WireBatch;
  }
}

async function open(port: number, verb: Verb, signal?: AbortSignal): Promise<IncomingMessage> {
  const sent = ask({ host: '127.0.0.1', port, method: 'POST', agent, ...(signal && { signal }) });
  sent.end(JSON.stringify(verb));
  const [response] = (await once(sent, 'response').catch((cause: unknown) => {
    throw new Failure('destination_unreachable', 'The world does not answer.', { cause });
  })) as [IncomingMessage];
  if (response.statusCode === 200) return response.setEncoding('utf8');
  const { kind, message, code } = JSON.parse(await text(response)) as {
    kind: FailureKind;
    message: string;
    code: ErrorCode;
  };
  throw new Failure(kind, message, { code });
}
