import { once } from 'node:events';
import type { Client, QueryResult, QueryResultRow } from 'pg';
import { Failure } from '../../domain/failure.ts';
import type { CutBatch, CutOptions } from '../../formats/copy-messages.ts';
import { logIn, openSocket, type Access } from './connect.ts';
import { CopyIn } from './copy-in.ts';
import { CopyOut } from './copy-out.ts';
import { toPostgresFailure, type ErrorContext } from './failures.ts';
import { pins } from './sql.ts';

const cancelTimeoutMs = 5000;
const goodbyeTimeoutMs = 2000;

/**
 * One login, used by one activity, one statement at a time. All errors that leave it are Failures
 * without a row value in them.
 */
export class Session implements AsyncDisposable {
  private readonly client: Client;
  private readonly access: Access;
  private readonly destroySocket: () => void;
  private stopping: Promise<void> | undefined;
  private stopReason: unknown;
  private hasEnded = false;

  private constructor(client: Client, access: Access, destroySocket: () => void) {
    this.client = client;
    this.access = access;
    this.destroySocket = destroySocket;
    client.once('end', () => (this.hasEnded = true));
  }

  /** @throws Failure of the side that `access` names */
  static async open(access: Access): Promise<Session> {
    const { client, socket } = await logIn(access);
    return new Session(client, access, () => socket.destroy());
  }

  /** Not stopped, and not found broken. */
  get isUsable(): boolean {
    return this.stopping === undefined && !this.hasEnded;
  }

  /** One statement with its parameters. */
  async rows<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    return (await this.send(() => this.client.query<Row>(text, [...values]))).rows;
  }

  /** One statement with its parameters. @returns how many rows it changed */
  async run(text: string, values: readonly unknown[] = []): Promise<number> {
    return (await this.send(() => this.client.query(text, [...values]))).rowCount ?? 0;
  }

  /** Several statements in one message, without parameters. */
  async script(
    statements: readonly string[],
    context?: Omit<ErrorContext, 'side'>,
  ): Promise<QueryResult[]> {
    const text = statements.join(';\n');
    const results: unknown = await this.send(() => this.client.query(text), context);
    return (Array.isArray(results) ? results : [results]) as QueryResult[];
  }

  /** Runs `work` between `begin` and `commit`, with the settings of both ends pinned. */
  async transaction<T>(
    work: () => Promise<T>,
    options: { begin?: string; settings?: readonly string[] } = {},
  ): Promise<T> {
    return this.rollingBack(async () => {
      await this.begin(options.begin, options.settings);
      const result = await work();
      await this.script(['commit']);
      return result;
    });
  }

  async begin(begin = 'begin', settings: readonly string[] = []): Promise<void> {
    await this.script([begin, pins, ...settings]);
  }

  /** For work whose own messages begin and commit: where it fails, all is rolled back. */
  async rollingBack<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // The connection may be what failed: then the server rolls back by itself.
      if (this.stopping === undefined) await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  /** The rows of a COPY … TO STDOUT as batches. @throws the driver's error, to be translated */
  copyOut(text: string, options: CutOptions): AsyncGenerator<CutBatch, void, undefined> {
    return this.client.query(new CopyOut(text, options)).batches();
  }

  /** Sends the messages to the COPY … FROM STDIN that ends the statements. @returns rows taken */
  async copyIn(
    statements: readonly string[],
    messages: readonly Buffer[],
    context: Omit<ErrorContext, 'side'>,
  ): Promise<number> {
    const copy = new CopyIn(statements.join(';\n'), messages);
    return this.send(() => this.client.query(copy).taken, context);
  }

  /** Ends the running statement on the server and the connection with it, once the signal is aborted. */
  stopOn(signal: AbortSignal): Disposable {
    const stop = () => this.stop(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', stop) };
  }

  stop(reason: unknown): void {
    if (this.stopping !== undefined) return;
    this.stopReason = reason;
    this.stopping = this.cancel().catch(() => undefined);
    this.destroySocket();
  }

  /**
   * A statement that sends nothing does not notice that its client has gone, so the server is asked to
   * cancel it, in a connection of its own as the protocol wants it.
   */
  private async cancel(): Promise<void> {
    const { processID, secretKey } = this.client as unknown as {
      processID: number | null;
      secretKey: number | null;
    };
    if (processID === null || secretKey === null) return;
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80_877_102, 4);
    request.writeInt32BE(processID, 8);
    request.writeInt32BE(secretKey, 12);
    const socket = await openSocket(this.access);
    socket.on('error', () => undefined);
    socket.setTimeout(cancelTimeoutMs, () => socket.destroy());
    socket.resume();
    socket.end(request);
    await once(socket, 'close');
  }

  private async send<T>(work: () => Promise<T>, context?: Omit<ErrorContext, 'side'>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.translate(error, context);
    }
  }

  /** The error as it may leave: the reason of the abort where there was one. */
  translate(error: unknown, context: Omit<ErrorContext, 'side'> = {}): Failure {
    if (this.stopping === undefined)
      return toPostgresFailure(error, { side: this.access.side, ...context });
    if (this.stopReason instanceof Failure) return this.stopReason;
    return new Failure('cancelled', `The work at the ${this.access.side} was stopped.`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.stopping === undefined) await this.sayGoodbye();
    else await this.stopping;
  }

  private async sayGoodbye(): Promise<void> {
    const limit = setTimeout(this.destroySocket, goodbyeTimeoutMs);
    await this.client.end().catch(() => undefined);
    clearTimeout(limit);
  }
}
