import type {
  Batch,
  ConnectorDeclaration,
  ConnectorRoles,
  Destination,
  Finding,
  Load,
  LoadClose,
  ReadRequest,
  Receipt,
  Sample,
  SampleAsk,
  ShownRead,
  SchemaChange,
  Source,
  SourceColumn,
  UnstampedRows,
} from '../connectors/connector.ts';
import type { LiveTable } from '../domain/evolution.ts';
import { Failure } from '../domain/failure.ts';
import type { InstantText } from '../domain/instant.ts';
import type {
  Encoding,
  Fence,
  LandedTable,
  LoadPlan,
  LoadProgress,
  LoadRecord,
} from '../domain/load.ts';
import type { Relation, SharedTable } from '../domain/model.ts';

/** The call that fails, counted from 1 over all verbs of both ends; each batch that is read is a call. */
export interface Fault {
  readonly call: number;
  /** After its effect: it has happened, and whoever asked does not hear of it. */
  readonly when: 'before' | 'after';
}

/** Counts the calls of the connectors it wraps, and fails some of them as a broken connection would. */
export class Faults {
  /** The verbs that were called, in order. */
  readonly calls: string[] = [];
  private readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[] = []) {
    this.faults = faults;
  }

  /** The same connector, with these faults. */
  wrap(declaration: ConnectorDeclaration): ConnectorDeclaration {
    return { ...declaration, load: async () => this.wrapRoles(await declaration.load()) };
  }

  private wrapRoles({ source, destination }: ConnectorRoles): ConnectorRoles {
    return {
      ...(source && {
        source: {
          ...source,
          open: async (settings, reach) => {
            const opened = await this.run('source.open', () => source.open(settings, reach));
            return new FaultySource(opened, this);
          },
        },
      }),
      ...(destination && {
        destination: {
          ...destination,
          open: async (settings, reach) => {
            const opened = await this.run('destination.open', () =>
              destination.open(settings, reach),
            );
            return new FaultyDestination(opened, this);
          },
        },
      }),
    };
  }

  async run<T>(verb: string, effect: () => Promise<T>): Promise<T> {
    const call = this.calls.push(verb);
    const fault = this.faults.find((planned) => planned.call === call);
    const side = verb.startsWith('source') ? 'source' : 'destination';
    const broken = new Failure(
      `${side}_unreachable`,
      `The connection broke at call ${call}, ${verb}.`,
    );
    if (fault?.when === 'before') throw broken;
    const result = await effect();
    if (fault?.when !== 'after') return result;
    // What was opened and never handed over would stay open.
    if (isDisposable(result)) await result[Symbol.asyncDispose]();
    throw broken;
  }
}

function isDisposable(value: unknown): value is AsyncDisposable {
  return typeof value === 'object' && value !== null && Symbol.asyncDispose in value;
}

class FaultySource implements Source {
  private readonly source: Source;
  private readonly faults: Faults;

  constructor(source: Source, faults: Faults) {
    this.source = source;
    this.faults = faults;
  }

  check(): Promise<Finding[]> {
    return this.faults.run('source.check', () => this.source.check());
  }

  describe(relation: Relation): Promise<SourceColumn[]> {
    return this.faults.run('source.describe', () => this.source.describe(relation));
  }

  encodings(table: SharedTable): Promise<Encoding[]> {
    return this.faults.run('source.encodings', () => this.source.encodings(table));
  }

  advise(table: SharedTable): Promise<Finding[]> {
    return this.faults.run('source.advise', () => this.source.advise(table));
  }

  sample(ask: SampleAsk): Promise<Sample> {
    return this.faults.run('source.sample', () => this.source.sample(ask));
  }

  countUnstamped(rows: UnstampedRows, signal: AbortSignal): Promise<number> {
    const count = () => this.source.countUnstamped(rows, signal);
    return this.faults.run('source.countUnstamped', count);
  }

  explain(request: ReadRequest, options: { withPlan: boolean }): Promise<ShownRead> {
    return this.faults.run('source.explain', () => this.source.explain(request, options));
  }

  fence(table: SharedTable, previous: InstantText | undefined): Promise<Fence> {
    return this.faults.run('source.fence', () => this.source.fence(table, previous));
  }

  async *read(request: ReadRequest, signal: AbortSignal): AsyncGenerator<Batch, void, undefined> {
    const batches = this.source.read(request, signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.faults.run('source.read', () => batches.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await batches.return?.();
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.source[Symbol.asyncDispose]();
  }
}

class FaultyDestination implements Destination {
  private readonly destination: Destination;
  private readonly faults: Faults;

  constructor(destination: Destination, faults: Faults) {
    this.destination = destination;
    this.faults = faults;
  }

  check(): Promise<Finding[]> {
    return this.faults.run('destination.check', () => this.destination.check());
  }

  describe(table: string): Promise<LiveTable | undefined> {
    return this.faults.run('destination.describe', () => this.destination.describe(table));
  }

  recall(modelId: string): Promise<LoadRecord | undefined> {
    return this.faults.run('destination.recall', () => this.destination.recall(modelId));
  }

  accepts(table: LandedTable, offered: readonly Encoding[]): Encoding {
    return this.destination.accepts(table, offered);
  }

  apply(change: SchemaChange): Promise<void> {
    return this.faults.run('destination.apply', () => this.destination.apply(change));
  }

  async open(plan: LoadPlan, signal: AbortSignal): Promise<Load> {
    const load = await this.faults.run('destination.load', () =>
      this.destination.open(plan, signal),
    );
    return new FaultyLoad(load, this.faults);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.destination[Symbol.asyncDispose]();
  }
}

class FaultyLoad implements Load {
  private readonly load: Load;
  private readonly faults: Faults;

  constructor(load: Load, faults: Faults) {
    this.load = load;
    this.faults = faults;
  }

  get progress(): LoadProgress {
    return this.load.progress;
  }

  write(batch: Batch, signal: AbortSignal): Promise<{ rowsChanged: number | undefined }> {
    return this.faults.run('load.write', () => this.load.write(batch, signal));
  }

  startCatchUp(fence: InstantText): Promise<void> {
    return this.faults.run('load.startCatchUp', () => this.load.startCatchUp(fence));
  }

  finish(close: LoadClose, signal: AbortSignal): Promise<Receipt> {
    return this.faults.run('load.finish', () => this.load.finish(close, signal));
  }
}
