import { z } from 'zod';
import { Failure } from './domain/failure.ts';
import { readMachineTypes, usualMachineTypes, type MachineType } from './domain/machine-type.ts';
import { listNetworks } from './lib/address.ts';
import { createSealer, type SealKey } from './lib/seal.ts';

// The environment, read once. Nothing else in Waybill looks at process.env: everyone receives values.

const mebibyte = 1024 * 1024;

const settings = z.object({
  WAYBILL_DATABASE_URL: required().refine(
    isPostgresUrl,
    'must be a URL that begins with postgres:// and names a database',
  ),
  WAYBILL_KEY: required()
    .transform(readKeys)
    .refine(areKeys, 'must be id:key pairs with commas between, each key 32 bytes in base64url'),
  TEMPORAL_ADDRESS: text('127.0.0.1:7233').refine(isHostAndPort, 'must be host:port'),
  TEMPORAL_NAMESPACE: text('default'),
  WAYBILL_API_HOST: text('127.0.0.1'),
  WAYBILL_API_PORT: whole({ from: 0, to: 65_535, usual: 8080 }),
  WAYBILL_PUBLIC_URL: url(),
  WAYBILL_TEMPORAL_UI_URL: url(),
  WAYBILL_PUBLIC_CALLS: whole({ from: 1, to: 1_000_000, usual: 600 }),
  WAYBILL_SSH_KEY_CALLS: whole({ from: 1, to: 1_000_000, usual: 60 }),
  WAYBILL_PROXIES: whole({ from: 0, to: 10, usual: 0 }),
  WAYBILL_METRICS_HOST: text('127.0.0.1'),
  WAYBILL_METRICS_PORT: optionalPort(),
  WAYBILL_OTLP_URL: url(),
  WAYBILL_TEMPORAL_METRICS: z.string().trim().refine(isHostAndPort, 'must be host:port').optional(),
  WAYBILL_MACHINE_TYPES: text(JSON.stringify(usualMachineTypes))
    .transform(readMachineTypes)
    .refine(
      (types) => types !== undefined,
      'must be a JSON list of types, one of them the default',
    ),
  WAYBILL_LOG_LEVEL: text('info').pipe(
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
      error: 'must be trace, debug, info, warn, error or fatal',
    }),
  ),
  WAYBILL_ALLOWED_NETWORKS: text('')
    .transform(splitList)
    .refine(areNetworks, 'must be networks with commas between'),
  WAYBILL_OWN_SERVICES: text('closed').pipe(
    z.enum(['closed', 'open'], { error: 'must be closed or open' }),
  ),
  WAYBILL_SLICE_SECONDS: whole({ from: 10, to: 3600, usual: 300 }),
  WAYBILL_BATCH_BYTES: whole({ from: 65_536, to: 256 * mebibyte, usual: 16 * mebibyte }),
  WAYBILL_BATCH_ROWS: whole({ from: 1, to: 1_000_000, usual: 100_000 }),
  WAYBILL_PROGRESS_SECONDS: whole({ from: 60, to: 86_400, usual: 900 }),
  WAYBILL_DATA_SLOTS: whole({ from: 1, to: 64, usual: 4 }),
  WAYBILL_QUEUE_LIMIT_HOURS: whole({ from: 1, to: 720, usual: 24 }),
  WAYBILL_TRANSFER_RETENTION_DAYS: whole({ from: 1, to: 3650, usual: 90 }),
  WAYBILL_AUDIT_RETENTION_DAYS: whole({ from: 1, to: 3650, usual: 400 }),
});

/** What a message suggests. The key's is a command: an example of a key would end up sealing secrets. */
const examples: Record<keyof typeof settings.shape, string> = {
  WAYBILL_DATABASE_URL: 'postgres://waybill:password@127.0.0.1:5432/waybill',
  WAYBILL_KEY: '"first:$(openssl rand -base64 32 | tr +/ -_ | tr -d =)"',
  TEMPORAL_ADDRESS: '127.0.0.1:7233',
  TEMPORAL_NAMESPACE: 'default',
  WAYBILL_API_HOST: '0.0.0.0',
  WAYBILL_API_PORT: '8080',
  WAYBILL_PUBLIC_URL: 'https://waybill.example.com',
  WAYBILL_TEMPORAL_UI_URL: 'http://127.0.0.1:8233',
  WAYBILL_PUBLIC_CALLS: '600',
  WAYBILL_SSH_KEY_CALLS: '60',
  WAYBILL_PROXIES: '1',
  WAYBILL_METRICS_HOST: '0.0.0.0',
  WAYBILL_METRICS_PORT: '9464',
  WAYBILL_OTLP_URL: 'http://127.0.0.1:4318/v1/metrics',
  WAYBILL_TEMPORAL_METRICS: '0.0.0.0:9465',
  WAYBILL_MACHINE_TYPES:
    '[{"id": "0199aa00-0000-7000-8000-00000000000a", "name": "large", "is_default": true}]',
  WAYBILL_LOG_LEVEL: 'info',
  WAYBILL_ALLOWED_NETWORKS: '10.0.0.0/8,fd00::/8',
  WAYBILL_OWN_SERVICES: 'closed',
  WAYBILL_SLICE_SECONDS: '300',
  WAYBILL_BATCH_BYTES: '16777216',
  WAYBILL_BATCH_ROWS: '100000',
  WAYBILL_PROGRESS_SECONDS: '900',
  WAYBILL_DATA_SLOTS: '4',
  WAYBILL_QUEUE_LIMIT_HOURS: '24',
  WAYBILL_TRANSFER_RETENTION_DAYS: '90',
  WAYBILL_AUDIT_RETENTION_DAYS: '400',
};

/** Never repeated in a message. */
const secrets: readonly string[] = ['WAYBILL_DATABASE_URL', 'WAYBILL_KEY'];

export interface Config {
  readonly databaseUrl: string;
  /** The first one seals, all of them open. */
  readonly sealKeys: readonly SealKey[];
  readonly temporal: { readonly address: string; readonly namespace: string };
  /** Port 0 takes a free one. */
  readonly api: { readonly host: string; readonly port: number };
  /** How clients reach the API, without a slash at the end; undefined: as it listens. */
  readonly publicUrl: string | undefined;
  readonly temporalUiUrl: string | undefined;
  /** Calls without a credential, a minute and client address, behind so many proxies. */
  readonly rateLimits: {
    readonly publicMax: number;
    readonly sshKeysMax: number;
    readonly proxies: number;
  };
  /** What a destination may name as `machine_type_id`. */
  readonly machineTypes: readonly MachineType[];
  /** Where figures are told; nothing is told without a port and a URL. */
  readonly metrics: {
    readonly host: string;
    readonly port: number | undefined;
    readonly otlpUrl: string | undefined;
    /** For the figures of Temporal's own client. */
    readonly temporalAddress: string | undefined;
  };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** Private networks that outgoing connections may reach. */
  readonly allowedNetworks: readonly string[];
  /** Whether customers' settings may point at the servers of our own database and of Temporal: only `dev`. */
  readonly ownServicesOpen: boolean;
  /** Slices, schema steps and publishes that one worker runs at once. */
  readonly dataSlots: number;
  readonly limits: {
    readonly sliceMs: number;
    readonly batchBytesMax: number;
    readonly batchRowsMax: number;
    readonly progressMs: number;
    readonly queueHoursMax: number;
    readonly transferDaysKept: number;
    readonly auditDaysKept: number;
  };
}

/** @throws Failure `config_invalid` whose message names every setting that is wrong, one per line. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const result = settings.safeParse(withoutEmpty(env));
  if (!result.success) throw new Failure('config_invalid', explain(result.error, env));
  const values = result.data;
  return {
    databaseUrl: values.WAYBILL_DATABASE_URL,
    sealKeys: values.WAYBILL_KEY,
    temporal: { address: values.TEMPORAL_ADDRESS, namespace: values.TEMPORAL_NAMESPACE },
    api: { host: values.WAYBILL_API_HOST, port: values.WAYBILL_API_PORT },
    publicUrl: values.WAYBILL_PUBLIC_URL,
    temporalUiUrl: values.WAYBILL_TEMPORAL_UI_URL,
    rateLimits: {
      publicMax: values.WAYBILL_PUBLIC_CALLS,
      sshKeysMax: values.WAYBILL_SSH_KEY_CALLS,
      proxies: values.WAYBILL_PROXIES,
    },
    machineTypes: values.WAYBILL_MACHINE_TYPES,
    metrics: {
      host: values.WAYBILL_METRICS_HOST,
      port: values.WAYBILL_METRICS_PORT,
      otlpUrl: values.WAYBILL_OTLP_URL,
      temporalAddress: values.WAYBILL_TEMPORAL_METRICS,
    },
    logLevel: values.WAYBILL_LOG_LEVEL,
    allowedNetworks: values.WAYBILL_ALLOWED_NETWORKS,
    ownServicesOpen: values.WAYBILL_OWN_SERVICES === 'open',
    dataSlots: values.WAYBILL_DATA_SLOTS,
    limits: {
      sliceMs: values.WAYBILL_SLICE_SECONDS * 1000,
      batchBytesMax: values.WAYBILL_BATCH_BYTES,
      batchRowsMax: values.WAYBILL_BATCH_ROWS,
      progressMs: values.WAYBILL_PROGRESS_SECONDS * 1000,
      queueHoursMax: values.WAYBILL_QUEUE_LIMIT_HOURS,
      transferDaysKept: values.WAYBILL_TRANSFER_RETENTION_DAYS,
      auditDaysKept: values.WAYBILL_AUDIT_RETENTION_DAYS,
    },
  };
}

/** An empty setting is one that is not set: compose files and shells cannot tell the two apart. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== ''));
}

function explain(error: z.ZodError, env: NodeJS.ProcessEnv): string {
  const lines = error.issues.map((issue) => {
    const name = issue.path[0] as keyof typeof examples;
    const given = env[name] && !secrets.includes(name) ? `, not "${env[name]}"` : '';
    return `  ${name} ${issue.message}${given}. Example: ${name}=${examples[name]}`;
  });
  return `Settings of the environment that are missing or wrong:\n${lines.join('\n')}`;
}

function required() {
  return z.string({ error: 'is missing' }).trim();
}

function text(usual: string) {
  return z.string().trim().default(usual);
}

function whole({ from, to, usual }: { from: number; to: number; usual: number }) {
  const isInRange = (value: string) =>
    /^\d{1,12}$/.test(value) && Number(value) >= from && Number(value) <= to;
  return text(String(usual))
    .refine(isInRange, `must be a whole number from ${from} to ${to}`)
    .transform(Number);
}

function optionalPort() {
  const isPort = (value: string) => /^\d{1,5}$/.test(value) && Number(value) <= 65_535;
  return z
    .string()
    .trim()
    .refine(isPort, 'must be a whole number from 0 to 65535')
    .transform(Number)
    .optional();
}

function url() {
  const isHttp = (value: string) => /^https?:$/.test(URL.parse(value)?.protocol ?? '');
  return z
    .string()
    .trim()
    .refine(isHttp, 'must be an http URL')
    .transform((value) => value.replace(/\/+$/, ''))
    .optional();
}

function isPostgresUrl(value: string): boolean {
  const { protocol = '', pathname = '' } = URL.parse(value) ?? {};
  return /^postgres(ql)?:$/.test(protocol) && pathname.length > 1;
}

function isHostAndPort(value: string): boolean {
  const port = /^[^\s/]+:(\d{1,5})$/.exec(value)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function splitList(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function readKeys(value: string): SealKey[] {
  return splitList(value).map((pair) => {
    const [id = '', key = ''] = pair.split(':');
    return { id, key: Buffer.from(key, 'base64url') };
  });
}

function areKeys(keys: readonly SealKey[]): boolean {
  return succeeds(() => createSealer(keys));
}

function areNetworks(networks: readonly string[]): boolean {
  return succeeds(() => listNetworks(networks));
}

function succeeds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

/** A copy of the whole environment, for programs that start other programs and hand it on. */
export function copyEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env };
}
