import { z } from 'zod';
import type { Tunnel } from './connector.ts';

// Fields that settings of several vendors have in common, with what a form needs to ask for them. Names are
// those of the wire.

/** Text that must be given. */
export function text(title: string, more: { help?: string; placeholder?: string } = {}) {
  return z
    .string()
    .min(1)
    .meta({ title, ...more });
}

export function secretText(title: string) {
  return z.string().min(1).meta({ title, secret: true });
}

/** Text that says where the data lives. */
export function place(title: string, more: { help?: string; placeholder?: string } = {}) {
  return text(title, { ...more }).meta({ title, ...more, place: true });
}

export function port(usual: number) {
  return z.int().min(1).max(65_535).default(usual).meta({ title: 'Port', place: true });
}

/** A JSON object that may also come as its text. */
export function jsonObject(title: string, more: { secret?: boolean; help?: string } = {}) {
  return z
    .union([z.record(z.string(), z.unknown()), z.string().min(2)])
    .meta({ title, json: true, ...more });
}

export const passwordAuth = z
  .object({ username: text('Username'), password: secretText('Password') })
  .meta({ title: 'Username and password' });

export const awsIamRole = z
  .object({ aws_iam_role_arn: text('ARN of the role', { placeholder: 'arn:aws:iam::…' }) })
  .meta({ title: 'AWS role' });

export const awsAccessKeys = z
  .object({ access_id: text('Access key id'), secret_key: secretText('Secret access key') })
  .meta({ title: 'AWS access keys' });

export const accessKeys = z
  .object({ access_id: text('Access key id'), secret_key: secretText('Secret key') })
  .meta({ title: 'Access keys' });

export const gcsHmacKeys = z
  .object({ access_key: text('HMAC access key'), secret: secretText('HMAC secret') })
  .meta({ title: 'HMAC keys' });

const generatedKey = (format: 'ssh_rsa' | 'pkcs8') =>
  z.string().optional().meta({
    title: 'Public key',
    help: 'Made by us: give it to the other side.',
    keyFormat: format,
  });

export function publicKeyAuth(format: 'ssh_rsa' | 'pkcs8', more: z.core.$ZodShape = {}) {
  return z
    .object({ ...more, public_key: generatedKey(format) })
    .meta({ title: 'Key pair made by us' });
}

export const accessTokenAuth = z
  .object({ access_token: secretText('Access token') })
  .meta({ title: 'Access token' });

export const oauthClientSecret = z
  .object({ client_id: text('Client id'), client_secret: secretText('Client secret') })
  .meta({ title: 'OAuth client' });

export const sharedAccessSignature = z
  .object({ shared_access_signature_token: secretText('Shared access signature') })
  .meta({ title: 'Shared access signature' });

const serviceAccount = { service_account_email: text('E-mail of the service account') };

export const gcpServiceAccountRole = z
  .object(serviceAccount)
  .meta({ title: 'Service account that ours may act as' });

export const gcpServiceAccountKey = z
  .object({ ...serviceAccount, service_account_key: jsonObject('Key file', { secret: true }) })
  .meta({ title: 'Service account key' });

export const federatedGcpServiceAccountRole = z
  .object({
    ...serviceAccount,
    workload_identity_federation_metadata: jsonObject('Workload identity federation'),
  })
  .meta({ title: 'Federated service account' });

/** `use_ssh_tunnel` and what belongs to it. */
export const sshTunnel = {
  use_ssh_tunnel: z.boolean().default(false).meta({ title: 'Use an SSH tunnel' }),
  ssh_tunnel: z
    .object({
      ssh_tunnel_host: place('Host of the tunnel'),
      ssh_tunnel_port: z.int().min(1).max(65_535).default(22).meta({ title: 'Port of the tunnel' }),
      ssh_tunnel_username: text('Username at the tunnel'),
      ssh_public_key: generatedKey('ssh_rsa'),
    })
    .optional()
    .meta({ title: 'SSH tunnel' }),
};

const UsedTunnel = z.object({
  use_ssh_tunnel: z.literal(true),
  ssh_tunnel: z.object({
    ssh_tunnel_host: z.string(),
    ssh_tunnel_port: z.int().default(22),
    ssh_tunnel_username: z.string(),
    ssh_public_key: z.string().default(''),
    ssh_private_key: z.string().default(''),
  }),
});

/** The tunnel that opened settings ask for; none where they ask for none. */
export function tunnelOf(settings: unknown): Tunnel | undefined {
  const { success, data } = UsedTunnel.safeParse(settings);
  if (!success) return undefined;
  const { ssh_tunnel: tunnel } = data;
  return {
    host: tunnel.ssh_tunnel_host,
    port: tunnel.ssh_tunnel_port,
    username: tunnel.ssh_tunnel_username,
    publicKey: tunnel.ssh_public_key,
    privateKey: tunnel.ssh_private_key,
  };
}

export const disableSsl = {
  disable_ssl: z.boolean().default(false).meta({
    title: 'Disable TLS',
    help: 'Sends everything in clear text. Only for networks that nobody else can listen on.',
  }),
};

/** A bucket in which rows wait on their way in. */
export const stagingBucket = z.object({
  bucket_name: place('Staging bucket'),
  bucket_region: text('Region of the bucket', { placeholder: 'eu-central-1' }),
});

/** How files are written to an object store. */
export const fileFormat = {
  file_format: z
    .enum(['parquet', 'csv', 'jsonl'])
    .default('parquet')
    .meta({
      title: 'File format',
      options: { parquet: 'Parquet', csv: 'CSV', jsonl: 'JSON lines' },
    }),
  csv: z
    .object({ delimiter: z.string().length(1).default(',').meta({ title: 'Delimiter' }) })
    .optional()
    .meta({ title: 'CSV' }),
  disable_manifest: z.boolean().default(false).meta({ title: 'Write no manifest' }),
};

/** `auth_method` and the object of each method; the first is the usual one. */
export function authMethods<K extends string, T extends z.ZodObject>(
  methods: Readonly<Record<K, T>>,
) {
  const [first, ...others] = Object.keys(methods) as [K, ...K[]];
  const options = Object.fromEntries(
    Object.entries<T>(methods).map(([name, object]) => [name, object.meta()?.title ?? name]),
  );
  return {
    auth_method: z
      .enum([first, ...others])
      .default(first)
      .meta({ title: 'Authentication', options }),
    ...(Object.fromEntries(
      Object.entries<T>(methods).map(([name, object]) => [name, object.optional()]),
    ) as Record<K, z.ZodOptional<T>>),
  };
}
