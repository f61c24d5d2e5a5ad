import { canonicalPath, createApp } from '../../api/app.ts';
import type { AppDeps } from '../../api/deps.ts';
import { describeApi } from '../../api/openapi.ts';
import { connectors } from '../../connectors/registry.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { finishProbe } from '../../db/probes.ts';
import { usualMachineTypes } from '../../domain/machine-type.ts';
import { createKeyPool } from '../../lib/key-pair.ts';
import { Failure } from '../../domain/failure.ts';
import type { WorkflowPort } from '../../domain/ports.ts';
import type { ProbeRef, ProbeReport } from '../../domain/probe.ts';
import type { Environment } from '../../domain/statuses.ts';
import { createAnswerCheck } from './answer-check.ts';
import type { Metadata } from './metadata.ts';
import { createMetadata, testSealer } from './metadata.ts';

/** A workflow engine that only writes down what it was asked, and whose worker finds what the test says. */
export interface FakeWorkflows extends WorkflowPort {
  readonly calls: { readonly verb: string; readonly ids: readonly string[] }[];
  readonly probes: ProbeRef[];
  /** What probes come to; `undefined`: no worker is there. */
  report: ProbeReport | ((probe: ProbeRef) => ProbeReport) | undefined;
  isAway: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; `undefined` where the answer is no JSON. */
  readonly body: unknown;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
  /** `null`: no key at all. The key of prod when left out. */
  readonly key?: string | null;
}

export interface TestApi extends AsyncDisposable {
  readonly metadata: Metadata;
  readonly deps: AppDeps;
  readonly workflows: FakeWorkflows;
  readonly keys: Readonly<Record<Environment, string>>;
  /** Every line that was logged, as JSON. */
  readonly logged: string[];
  /** Holds each answer against the OpenAPI document. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

/** The whole API on a database of its own, with a fake engine and a key for each environment. */
export async function createTestApi(overrides: Partial<AppDeps> = {}): Promise<TestApi> {
  const metadata = await createMetadata();
  const { db } = metadata;
  const workflows = createFakeWorkflows(metadata);
  const logged: string[] = [];
  const write = (fields: object, message: string) =>
    void logged.push(JSON.stringify({ ...fields, message }));
  const deps: AppDeps = {
    db,
    sealer: testSealer,
    keyPairs: createKeyPool(0),
    machineTypes: usualMachineTypes,
    workflows,
    registry: connectors,
    publicUrl: 'https://waybill.test',
    temporalUiUrl: undefined,
    rateLimits: { publicMax: 100_000, sshKeysMax: 100_000, proxies: 0 },
    log: { info: write, warn: write, error: write },
    pendingMigrations: async () => [],
    ...overrides,
  };
  const app = createApp(deps);
  const check = createAnswerCheck(describeApi(app, deps));
  const keys = {
    prod: (await createApiKey(db, { environment: 'prod', name: 'test' })).key,
    staging: (await createApiKey(db, { environment: 'staging', name: 'test' })).key,
  };
  const call = async (method: string, path: string, options: CallOptions = {}): Promise<Answer> => {
    const request = new Request(`http://api.test${path}`, toRequest(method, options, keys.prod));
    const response = await app.fetch(request);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    const body: unknown = isJson ? JSON.parse(text) : undefined;
    check({ method, path: canonicalPath(request), status: response.status, body });
    return { status: response.status, headers: response.headers, text, body };
  };
  return {
    metadata,
    deps,
    workflows,
    keys,
    logged,
    call,
    [Symbol.asyncDispose]: () => metadata[Symbol.asyncDispose](),
  };
}

function toRequest(method: string, options: CallOptions, usualKey: string): RequestInit {
  const key = options.key === undefined ? usualKey : options.key;
  const headers = { ...(key !== null && { 'X-API-KEY': key }), ...options.headers };
  const body =
    options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  return { method, headers, ...(body !== undefined && { body }) };
}

function createFakeWorkflows({ db }: Metadata): FakeWorkflows {
  const calls: FakeWorkflows['calls'] = [];
  const probes: ProbeRef[] = [];
  const record = async (verb: string, ...ids: string[]) => {
    if (fake.isAway) throw new Failure('unavailable', 'Temporal does not answer.');
    calls.push({ verb, ids });
  };
  const fake: FakeWorkflows = {
    calls,
    probes,
    report: undefined,
    isAway: false,
    ring: (destinationId, transferId) => record('ring', destinationId, transferId),
    cancelTransfer: (id) => record('cancel', id),
    pauseTransfer: (id) => record('pause', id),
    resumeTransfer: (id) => record('resume', id),
    async runProbe(probe) {
      probes.push(probe);
      const { probeId: id, environment } = probe;
      if (fake.report === undefined)
        throw new Failure('unavailable', 'No worker answered within 20 s.');
      const result = typeof fake.report === 'function' ? fake.report(probe) : fake.report;
      await finishProbe(db, { environment, id, result });
    },
    ringNotices: ({ webhookId, resourceId }) => record('ringNotices', webhookId, resourceId),
    putSchedule: (id, spec) => record('putSchedule', id, JSON.stringify(spec ?? null)),
    hasSchedule: async () => true,
    startIntegrity: (id) => record('startIntegrity', id),
    cancelIntegrity: (id) => record('cancelIntegrity', id),
    describeIntegrity: async () => 'not_found',
    describeTransfer: async () => 'not_found',
    describeQueue: async () => 'not_found',
    ping: () => record('ping'),
  };
  return fake;
}

/** A value below an answer by its dotted path; `undefined` where there is none. */
export function at(answer: Answer, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  }, answer.body);
}

/** The same where it must be text. */
export function textAt(answer: Answer, path: string): string {
  const found = at(answer, path);
  if (typeof found !== 'string') throw new Error(`${path} is no text in ${answer.text}`);
  return found;
}
