import { describe, expect, test } from 'vitest';
import { connectors } from '../connectors/registry.ts';
import type { TreeNode, Values } from '../test/harness/form-client.ts';
import { destinationOf, shownFields } from '../test/harness/form-client.ts';
import { buildForm } from './form-tree.ts';
import { echoSettings, parseSettings } from './settings.ts';

// The tree of every vendor against the blocks of the contract, by a client that was written from the rules
// for paths alone. What it derives is then sent: the settings accept it, and echo all but the secrets.

const form = buildForm(
  [...connectors.values()]
    .filter(({ destination }) => destination !== undefined)
    .map((declaration) => ({
      declaration,
      option: { key: declaration.kind, display: declaration.title },
    })),
);

/** The fields of each vendor's block, as section 3.2 of the contract lists them; `!` marks a secret. */
const auth = {
  password: 'auth_method password_auth.username password_auth.password!',
  role: 'aws_iam_role.aws_iam_role_arn',
  keys: 'aws_access_keys.access_id aws_access_keys.secret_key!',
  token: 'auth_method access_token_auth.access_token!',
};
const ssh =
  'use_ssh_tunnel ssh_tunnel.ssh_tunnel_host ssh_tunnel.ssh_tunnel_port ' +
  'ssh_tunnel.ssh_tunnel_username ssh_tunnel.ssh_public_key';
const files = 'folder file_format csv.delimiter disable_manifest';
const mysql = `host port connection_database write_database disable_ssl ${auth.password} ${ssh}`;
// The last three are ours.
const postgres = `host port database schema disable_ssl connection_timeout_in_seconds ${auth.password} ${ssh} ssl_mode ssl_ca`;
const staging = 'bucket_s3.bucket_name bucket_s3.bucket_region';
const redshiftLogin = `auth_method ${auth.role} ${auth.keys} aws_access_keys.password!`;
const email = 'service_account_email';

const blocks: Readonly<Record<string, string>> = {
  postgres,
  aurora_postgres: postgres,
  mysql,
  aurora_mysql: mysql,
  planetscale: mysql,
  singlestore: mysql,
  sql_server: `${mysql} database schema`,
  oracle: `host port database schema disable_ssl ssl_options.wallet ${auth.password} ${ssh}`,
  snowflake: `host port database schema ${auth.password} public_key_auth.username public_key_auth.public_key`,
  bigquery:
    'project_id schema bucket_gcs.bucket_name bucket_gcs.bucket_region auth_method ' +
    `gcp_service_account_role.${email} gcp_service_account_key.${email} ` +
    `gcp_service_account_key.service_account_key! federated_gcp_service_account_role.${email} ` +
    'federated_gcp_service_account_role.workload_identity_federation_metadata',
  redshift: `host port database schema cluster username ${staging} ${redshiftLogin}`,
  redshift_serverless: `workgroup host port database schema ${staging} ${redshiftLogin}`,
  athena: `workgroup connection_database write_database ${staging} auth_method ${auth.role} ${auth.keys}`,
  databricks:
    `host port http_path catalog schema metastore hive.bucket_vendor hive.bucket_s3.bucket_name ` +
    'hive.bucket_s3.bucket_region hive.bucket_s3.aws_access_keys.access_id ' +
    `hive.bucket_s3.aws_access_keys.secret_key! ${auth.token} ` +
    'oauth_client_secret.client_id oauth_client_secret.client_secret!',
  clickhouse:
    `host port cluster connection_database write_database disable_ssl bucket_vendor ${auth.password} ` +
    `${staging} bucket_s3.aws_access_keys.access_id bucket_s3.aws_access_keys.secret_key! ` +
    'bucket_gcs.bucket_name bucket_gcs.gcs_hmac_keys.access_key bucket_gcs.gcs_hmac_keys.secret!',
  mongodb: `host port authentication_database write_database disable_ssl ${auth.role} ${auth.password} ${ssh}`,
  s3: `bucket_name bucket_region ${files} auth_method ${auth.role} ${auth.keys}`,
  s3_compatible:
    `host bucket_name bucket_region disable_ssl ${files} ` +
    'auth_method access_keys.access_id access_keys.secret_key!',
  gcs:
    `bucket_name ${files} auth_method gcp_service_account_role.${email} ` +
    'gcs_hmac_keys.access_key gcs_hmac_keys.secret!',
  abs:
    `container_name storage_account_name ${files} auth_method ` +
    'azure_service_shared_access_signature.shared_access_signature_token!',
  sftp: `username host port ${files} auth_method public_key_auth.public_key`,
  google_sheets: 'host',
  motherduck: `database schema ${auth.token}`,
  delta_lake:
    `bucket_vendor folder retention_window_days column_mapping_mode deletion_vectors_disabled ` +
    `change_data_feed_disabled ${staging} bucket_s3.auth_method ` +
    'bucket_s3.aws_iam_role.aws_iam_role_arn bucket_s3.aws_access_keys.access_id ' +
    'bucket_s3.aws_access_keys.secret_key! bucket_gcs.bucket_name bucket_gcs.auth_method ' +
    `bucket_gcs.gcp_service_account_role.${email} bucket_gcs.gcs_hmac_keys.access_key ` +
    'bucket_gcs.gcs_hmac_keys.secret! bucket_abs.container_name bucket_abs.storage_account_name ' +
    'bucket_abs.auth_method ' +
    'bucket_abs.azure_service_shared_access_signature.shared_access_signature_token! ' +
    'bucket_s3_compatible.host bucket_s3_compatible.bucket_name bucket_s3_compatible.bucket_region ' +
    'bucket_s3_compatible.disable_ssl bucket_s3_compatible.auth_method ' +
    'bucket_s3_compatible.access_keys.access_id bucket_s3_compatible.access_keys.secret_key!',
  // The catalogue's fields are in an object named like its type: only so do clients find the path.
  iceberg:
    'catalog_type glue.warehouse glue.namespace s3_tables.table_bucket_arn s3_tables.namespace ' +
    'rest.uri rest.credential! rest.warehouse rest.namespace bucket_vendor retention_window_days ' +
    `${staging} auth_method ${auth.role} ${auth.keys}`,
  mock: 'schema database',
};

const vendors = Object.keys(blocks);

/** Something that a person could enter. */
function sample({ name, type, enum: options }: TreeNode): unknown {
  if (options !== undefined) return options[0]?.key;
  if (type === 'boolean') return true;
  if (name === 'delimiter') return ';';
  if (type === 'json') return '{"type": "service_account", "nested": {"a": 1}}';
  return type === 'number' ? '42' : `some ${name}`;
}

/** Values for each way through the form of a vendor: with every option of every choice. */
function* waysThrough(values: Values): Generator<Values> {
  const open = shownFields(form as TreeNode, values).find(({ node }) => !(node.name in values));
  if (open === undefined) {
    yield values;
    return;
  }
  const { node } = open;
  const keys = node.enum?.map(({ key }) => key) ?? (node.type === 'boolean' ? [true, false] : []);
  const choices = node.children === null || keys.length === 0 ? [sample(node)] : keys;
  for (const choice of choices) yield* waysThrough({ ...values, [node.name]: choice });
}

function leaves(value: unknown, path: string[] = []): string[] {
  if (typeof value !== 'object' || value === null || path.at(-1)?.endsWith('metadata'))
    return [path.join('.')];
  if (path.at(-1) === 'service_account_key') return [path.join('.')];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}

test('there is a form for every vendor of the contract, and for no other', () => {
  expect(form.enum?.map(({ key }) => key).toSorted()).toEqual(vendors.toSorted());
});

describe.each(vendors)('%s', (vendor) => {
  const fields = blocks[vendor]!.split(' ').filter(Boolean);
  const schema = connectors.get(vendor)!.destination!;

  test('a client derives from the tree exactly the fields of its block', () => {
    const found = [...waysThrough({ vendor })].flatMap((values) =>
      leaves(destinationOf(form as TreeNode, values)[vendor]),
    );
    expect([...new Set(found)].toSorted()).toEqual(
      [...new Set(fields.map((field) => field.replace('!', '')))].toSorted(),
    );
  });

  test('what a client sends is accepted, and all of it but the secrets is echoed', () => {
    for (const values of waysThrough({ vendor, use_ssh_tunnel: false })) {
      const block = destinationOf(form as TreeNode, values)[vendor];
      const { settings, secrets } = parseSettings(schema, block, `destination.${vendor}`);
      const echoed = leaves(echoSettings(schema, settings));
      const isSecret = (path: string) => fields.includes(`${path}!`);
      expect(leaves(secrets).filter(Boolean).toSorted()).toEqual(
        leaves(block).filter(isSecret).toSorted(),
      );
      expect(echoed).toEqual(
        expect.arrayContaining(leaves(block).filter((path) => !isSecret(path))),
      );
      expect(echoed.filter(isSecret)).toEqual([]);
    }
  });
});
