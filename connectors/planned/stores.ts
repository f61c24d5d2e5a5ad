import { z } from 'zod';
import {
  accessKeys,
  authMethods,
  awsAccessKeys,
  awsIamRole,
  disableSsl,
  fileFormat,
  gcpServiceAccountRole,
  gcsHmacKeys,
  place,
  port,
  publicKeyAuth,
  sharedAccessSignature,
  text,
} from '../fields.ts';
import { plan } from './declare.ts';

const folder = {
  folder: z.string().default('.').meta({ title: 'Folder', place: true }),
};
const bucketName = { bucket_name: place('Bucket') };
const region = { bucket_region: text('Region', { placeholder: 'eu-central-1' }) };
const aws = authMethods({ aws_iam_role: awsIamRole, aws_access_keys: awsAccessKeys });
const gcs = authMethods({
  gcp_service_account_role: gcpServiceAccountRole,
  gcs_hmac_keys: gcsHmacKeys,
});
const abs = authMethods({ azure_service_shared_access_signature: sharedAccessSignature });
const container = {
  container_name: place('Container'),
  storage_account_name: place('Storage account'),
};
const compatible = {
  host: place('Host'),
  ...bucketName,
  bucket_region: z.string().optional().meta({ title: 'Region' }),
  ...disableSsl,
  ...authMethods({ access_keys: accessKeys }),
};

const retention = z
  .int()
  .min(0)
  .max(3650)
  .default(7)
  .meta({ title: 'Days that old versions are kept' });

const buckets = {
  bucket_s3: 'Amazon S3',
  bucket_gcs: 'Google Cloud Storage',
  bucket_abs: 'Azure Blob Storage',
  bucket_s3_compatible: 'S3-compatible store',
};

const deltaLake = z.object({
  bucket_vendor: z
    .enum(['bucket_s3', 'bucket_gcs', 'bucket_abs', 'bucket_s3_compatible'])
    .default('bucket_s3')
    .meta({ title: 'Bucket', options: buckets }),
  bucket_s3: z.object({ ...bucketName, ...region, ...aws }).optional(),
  bucket_gcs: z.object({ ...bucketName, ...gcs }).optional(),
  bucket_abs: z.object({ ...container, ...abs }).optional(),
  bucket_s3_compatible: z.object(compatible).optional(),
  ...folder,
  retention_window_days: retention,
  column_mapping_mode: z
    .enum(['ID', 'NAME', 'NONE'])
    .default('NAME')
    .meta({ title: 'Column mapping', options: { ID: 'By id', NAME: 'By name', NONE: 'None' } }),
  deletion_vectors_disabled: z.boolean().default(false).meta({ title: 'No deletion vectors' }),
  change_data_feed_disabled: z.boolean().default(false).meta({ title: 'No change data feed' }),
});

const namespace = { namespace: place('Namespace') };

const iceberg = z.object({
  catalog_type: z
    .enum(['glue', 's3_tables', 'rest'])
    .default('glue')
    .meta({
      title: 'Catalogue',
      options: { glue: 'AWS Glue', s3_tables: 'Amazon S3 Tables', rest: 'REST' },
    }),
  glue: z.object({ warehouse: place('Warehouse'), ...namespace }).optional(),
  s3_tables: z
    .object({ table_bucket_arn: place('ARN of the table bucket'), ...namespace })
    .optional(),
  rest: z
    .object({
      uri: place('URL of the catalogue'),
      credential: z.string().optional().meta({ title: 'Credential', secret: true }),
      warehouse: place('Warehouse'),
      ...namespace,
    })
    .optional(),
  bucket_vendor: z
    .enum(['bucket_s3'])
    .default('bucket_s3')
    .meta({ title: 'Bucket', options: { bucket_s3: 'Amazon S3' } }),
  bucket_s3: z.object({ ...bucketName, ...region }),
  retention_window_days: retention,
  ...aws,
});

/** Files, tables made of files, and sheets: destinations only. */
export const stores = [
  plan('s3', 'Amazon S3', {
    destination: z.object({ ...bucketName, ...region, ...folder, ...aws, ...fileFormat }),
  }),
  plan('s3_compatible', 'S3-compatible store', {
    destination: z.object({ ...compatible, ...folder, ...fileFormat }),
  }),
  plan('gcs', 'Google Cloud Storage', {
    destination: z.object({ ...bucketName, ...folder, ...gcs, ...fileFormat }),
  }),
  plan('abs', 'Azure Blob Storage', {
    destination: z.object({ ...container, ...folder, ...abs, ...fileFormat }),
  }),
  plan('sftp', 'SFTP', {
    destination: z.object({
      host: place('Host'),
      port: port(22),
      username: text('Username'),
      ...folder,
      ...authMethods({ public_key_auth: publicKeyAuth('ssh_rsa') }),
      ...fileFormat,
    }),
  }),
  plan('google_sheets', 'Google Sheets', {
    destination: z.object({ host: place('URL of the spreadsheet') }),
  }),
  plan('delta_lake', 'Delta Lake', { destination: deltaLake }),
  plan('iceberg', 'Apache Iceberg', { destination: iceberg }),
  plan('mock', 'Mock, for tests', {
    destination: z.object({ schema: place('Schema'), database: place('Database') }),
  }),
];
