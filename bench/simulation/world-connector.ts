import { z } from 'zod';
import type {
  ConnectorDeclaration,
  Destination,
  Load,
  Source,
} from '../../connectors/connector.ts';
import { Failure } from '../../domain/failure.ts';
import type { LoadPlan, LoadProgress } from '../../domain/load.ts';
import { askWorld, readWorld } from './world-verbs.ts';

const WorldSettings = z.object({
  port: z.number().int().meta({ title: 'Port', place: true }),
  store: z.string().meta({ title: 'Store', place: true }),
});
type WorldSettings = z.infer<typeof WorldSettings>;

/** Between two batches of a backfill: it moves rows all the while and leaves the processor to others. */
const backfillPauseMs = 100;
const loggedIn = [
  { name: 'authenticate', status: 'ok', message: 'The login works.', fix: undefined },
] as const;

/** The memory connector over a wire: stores are in the world's process, where every worker finds them. */
export const world: ConnectorDeclaration = {
  kind: 'memory',
  title: 'Memory of another process',
  source: WorldSettings,
  destination: WorldSettings,
  load: async () => ({
    source: {
      lookbackSeconds: 0,
      open: async (settings) => openSource(WorldSettings.parse(settings)),
    },
    destination: { open: async (settings) => openDestination(WorldSettings.parse(settings)) },
  }),
};

function openSource({ port }: WorldSettings): Source {
  return {
    check: async () => [...loggedIn],
    describe: (relation) => askWorld(port, { verb: 'describeSource', relation }),
    encodings: (table) => askWorld(port, { verb: 'encodings', table }),
    advise: async () => [],
    sample: async () => ({ rows: 0, nulls: [], hasRepeatedKey: false, unfit: [] }),
    explain: async () => ({ sql: 'rows of one tenant', plan: undefined }),
    countUnstamped: async () => 0,
    fence: () => askWorld(port, { verb: 'fence' }),
    async *read(request, signal) {
      const verb = { verb: 'read', request, pauseMs: backfillPauseMs } as const;
      try {
        for await (const { text, ...batch } of readWorld(port, verb, signal)) {
          yield { ...batch, chunks: [Buffer.from(text)] };
        }
      } catch (error) {
        if (signal.aborted) throw new Failure('cancelled', 'The transfer was cancelled.');
        throw error;
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function openDestination({ port, store }: WorldSettings): Destination {
  return {
    check: async () => [...loggedIn],
    describe: (table) => askWorld(port, { verb: 'describe', store, table }),
    recall: (modelId) => askWorld(port, { verb: 'recall', store, modelId }),
    accepts: () => 'copy_text',
    apply: (change) => askWorld(port, { verb: 'apply', store, change }),
    open: async (plan) => {
      const progress = await askWorld<LoadProgress>(port, { verb: 'open', store, plan });
      return new WorldLoad({ port, store }, plan, progress);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

class WorldLoad implements Load {
  progress: LoadProgress;
  private readonly where: WorldSettings;
  private readonly plan: LoadPlan;

  constructor(where: WorldSettings, plan: LoadPlan, progress: LoadProgress) {
    this.where = where;
    this.plan = plan;
    this.progress = progress;
  }

  async write({ chunks, ...batch }: Parameters<Load['write']>[0]) {
    const { port, store } = this.where;
    const wire = { ...batch, text: Buffer.concat(chunks).toString() };
    const answer = await askWorld<{ rowsChanged?: number; progress: LoadProgress }>(port, {
      verb: 'writeBatch',
      store,
      plan: this.plan,
      batch: wire,
    });
    this.progress = answer.progress;
    return { rowsChanged: answer.rowsChanged };
  }

  async startCatchUp(fence: string): Promise<void> {
    const { port, store } = this.where;
    const verb = { verb: 'startCatchUp', store, plan: this.plan, fence } as const;
    this.progress = await askWorld(port, verb);
  }

  async finish(close: Parameters<Load['finish']>[0]): ReturnType<Load['finish']> {
    const { port, store } = this.where;
    return askWorld(port, { verb: 'finish', store, plan: this.plan, close });
  }
}
