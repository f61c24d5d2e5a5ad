import { z } from 'zod';
import type { ConnectorDeclaration } from '../connector.ts';

/** How a connection is protected. `verify_full`: the certificate must be valid and carry the host's name. */
export const sslModes = ['verify-full', 'require', 'disable'] as const;

const nameBytesMax = 63;

const schemaName = z
  .string()
  .min(1)
  .refine(
    (name) => Buffer.byteLength(name) <= nameBytesMax,
    `A schema name has at most ${nameBytesMax} bytes.`,
  )
  .refine(
    (name) => !/^pg_|^information_schema$/i.test(name),
    'Schemas of the system cannot be used.',
  )
  .refine((name) => !name.includes('\0'), 'A name cannot hold a NUL character.');

const connection = {
  host: z.string().min(1).meta({ title: 'Host', place: true }),
  port: z.int().min(1).max(65_535).default(5432).meta({ title: 'Port', place: true }),
  database: z.string().min(1).meta({ title: 'Database', place: true }),
  auth_method: z
    .literal('password_auth')
    .default('password_auth')
    .meta({ title: 'Authentication' }),
  password_auth: z
    .object({
      username: z.string().min(1).meta({ title: 'Username' }),
      password: z.string().meta({ title: 'Password', secret: true }),
    })
    .meta({ title: 'Username and password' }),
  use_ssh_tunnel: z.boolean().default(false).meta({ title: 'Use an SSH tunnel' }),
  ssh_tunnel: z
    .object({
      ssh_tunnel_host: z
        .string()
        .optional()
        .meta({ title: 'Host of the tunnel', place: true, needed: true }),
      ssh_tunnel_port: z.int().min(1).max(65_535).optional().meta({ title: 'Port of the tunnel' }),
      ssh_tunnel_username: z
        .string()
        .optional()
        .meta({ title: 'Username at the tunnel', needed: true }),
      ssh_public_key: z.string().optional().meta({
        title: 'Public key of the tunnel',
        help: 'Made by us: put it into authorized_keys there.',
        keyFormat: 'ssh_rsa',
      }),
    })
    .optional()
    .meta({
      title: 'SSH tunnel',
      help: 'Kept and given back as it was sent, also while it is not used.',
    }),
  disable_ssl: z.boolean().default(false).meta({
    title: 'Disable TLS',
    help: 'Sends everything in clear text. Only for networks that nobody else can listen on.',
  }),
  ssl_mode: z
    .enum(sslModes)
    .optional()
    .meta({
      title: 'TLS mode',
      help:
        'verify-full (used when nothing is set): the certificate must be signed by a known authority or ' +
        'the one given below, and name the host. require: encrypted, but whoever answers is believed. ' +
        'disable: as Disable TLS.',
    }),
  ssl_ca: z.string().optional().meta({
    title: 'Certificate authority',
    help: 'PEM text of the authority that signed the certificate, where it is not a public one.',
  }),
  connection_timeout_in_seconds: z
    .int()
    .min(1)
    .max(600)
    .default(10)
    .meta({ title: 'Connection timeout in seconds', internal: true }),
};

/** A tunnel that is used needs a host and a user; one that is not may lack them. */
function checkTunnel(
  { use_ssh_tunnel: isUsed, ssh_tunnel: tunnel }: z.infer<z.ZodObject<typeof connection>>,
  context: z.core.$RefinementCtx,
): void {
  for (const field of isUsed ? (['ssh_tunnel_host', 'ssh_tunnel_username'] as const) : []) {
    if (tunnel?.[field]) continue;
    const message = 'must be given, because use_ssh_tunnel is true.';
    context.addIssue({ code: 'custom', path: ['ssh_tunnel', field], message });
  }
}

export const SourceSettings = z
  .object({
    ...connection,
    schema: schemaName.optional().meta({
      title: 'Schema',
      help: 'Where tables are looked for that a model names without a schema.',
      place: true,
    }),
  })
  .superRefine(checkTunnel);
export type SourceSettings = z.infer<typeof SourceSettings>;

export const DestinationSettings = z
  .object({
    ...connection,
    schema: schemaName.default('public').meta({
      title: 'Schema',
      help: 'Where the tables are written. It is made if it is missing and the login may do so.',
      place: true,
    }),
  })
  .superRefine(checkTunnel);
export type DestinationSettings = z.infer<typeof DestinationSettings>;

function declare(kind: string, title: string): ConnectorDeclaration {
  return {
    kind,
    title,
    source: SourceSettings,
    destination: DestinationSettings,
    load: async () => (await import('./roles.ts')).postgresRoles,
  };
}

export const postgres = declare('postgres', 'PostgreSQL');
export const auroraPostgres = declare('aurora_postgres', 'Amazon Aurora PostgreSQL');
