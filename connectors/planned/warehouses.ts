import { z } from 'zod';
import {
  accessTokenAuth,
  authMethods,
  awsAccessKeys,
  awsIamRole,
  disableSsl,
  federatedGcpServiceAccountRole,
  gcpServiceAccountKey,
  gcpServiceAccountRole,
  gcsHmacKeys,
  oauthClientSecret,
  passwordAuth,
  place,
  port,
  publicKeyAuth,
  secretText,
  stagingBucket,
  text,
} from '../fields.ts';
import { plan } from './declare.ts';

const optionalSchema = z.string().optional().meta({ title: 'Schema', place: true });
const schema = { schema: place('Schema') };
const bucketS3 = { bucket_s3: stagingBucket.meta({ title: 'Staging bucket' }) };
const optionalBucketS3 = { bucket_s3: stagingBucket.optional().meta({ title: 'Staging bucket' }) };

const snowflake = {
  host: place('Host', { placeholder: 'account.snowflakecomputing.com' }),
  port: port(443),
  database: place('Database'),
  ...authMethods({
    password_auth: passwordAuth,
    public_key_auth: publicKeyAuth('pkcs8', { username: text('Username') }),
  }),
};

const bigquery = {
  project_id: place('Project'),
  ...authMethods({
    gcp_service_account_role: gcpServiceAccountRole,
    gcp_service_account_key: gcpServiceAccountKey,
    federated_gcp_service_account_role: federatedGcpServiceAccountRole,
  }),
};

const aws = { aws_iam_role: awsIamRole, aws_access_keys: awsAccessKeys };
/** Redshift asks for the password of its user too, where keys are used. */
const redshiftKeys = awsAccessKeys
  .extend({ password: secretText('Password of the database user') })
  .meta({ title: 'AWS access keys' });
const redshiftLogin = authMethods({ aws_iam_role: awsIamRole, aws_access_keys: redshiftKeys });

const redshift = {
  host: place('Host'),
  port: port(5439),
  database: place('Database'),
  cluster: text('Cluster'),
  username: text('Username'),
  ...redshiftLogin,
};

const redshiftServerless = {
  workgroup: place('Workgroup'),
  host: place('Host'),
  port: port(5439),
  database: place('Database'),
  ...redshiftLogin,
};

const athena = { workgroup: place('Workgroup'), ...authMethods(aws) };

const keyedBucketS3 = stagingBucket.extend({ aws_access_keys: awsAccessKeys });

const databricks = {
  host: place('Host'),
  port: port(443),
  http_path: place('HTTP path'),
  catalog: place('Catalog'),
  ...authMethods({ access_token_auth: accessTokenAuth, oauth_client_secret: oauthClientSecret }),
};

const metastore = {
  metastore: z
    .enum(['hive', 'unity_catalog'])
    .default('hive')
    .meta({ title: 'Metastore', options: { hive: 'Hive', unity_catalog: 'Unity Catalog' } }),
  hive: z
    .object({
      bucket_vendor: z
        .enum(['bucket_s3'])
        .default('bucket_s3')
        .meta({ title: 'Staging bucket', options: { bucket_s3: 'Amazon S3' } }),
      bucket_s3: keyedBucketS3.optional(),
    })
    .optional()
    .meta({ title: 'Hive' }),
};

const clickhouse = {
  host: place('Host'),
  port: port(8443),
  ...authMethods({ password_auth: passwordAuth }),
  ...disableSsl,
};

const clickhouseStaging = {
  bucket_vendor: z
    .enum(['bucket_s3', 'bucket_gcs', 'bucket_implicit'])
    .default('bucket_implicit')
    .meta({
      title: 'Staging bucket',
      options: {
        bucket_s3: 'Amazon S3',
        bucket_gcs: 'Google Cloud Storage',
        bucket_implicit: "The cluster's own",
      },
    }),
  bucket_s3: keyedBucketS3.optional(),
  bucket_gcs: z
    .object({ bucket_name: place('Staging bucket'), gcs_hmac_keys: gcsHmacKeys })
    .optional(),
};

const motherduck = authMethods({ access_token_auth: accessTokenAuth });

/** Systems made for analysis; most take rows through a bucket. */
export const warehouses = [
  plan('snowflake', 'Snowflake', {
    destination: z.object({ ...snowflake, ...schema }),
    source: z.object({ ...snowflake, schema: optionalSchema }),
  }),
  plan('bigquery', 'Google BigQuery', {
    destination: z.object({ ...bigquery, schema: place('Dataset'), bucket_gcs: stagingBucket }),
    source: z.object({ ...bigquery, region: text('Region'), bucket_gcs: stagingBucket.optional() }),
  }),
  plan('redshift', 'Amazon Redshift', {
    destination: z.object({ ...redshift, ...schema, ...bucketS3 }),
    source: z.object({ ...redshift, schema: optionalSchema, ...optionalBucketS3 }),
  }),
  plan('redshift_serverless', 'Amazon Redshift Serverless', {
    destination: z.object({ ...redshiftServerless, ...schema, ...bucketS3 }),
    source: z.object({ ...redshiftServerless, schema: optionalSchema, ...optionalBucketS3 }),
  }),
  plan('athena', 'Amazon Athena', {
    destination: z.object({
      ...athena,
      connection_database: text('Database to log in to'),
      write_database: place('Database to write to'),
      ...bucketS3,
    }),
    source: z.object({ ...athena, database: place('Database'), ...optionalBucketS3 }),
  }),
  plan('databricks', 'Databricks', {
    destination: z.object({ ...databricks, ...schema, ...metastore }),
    source: z.object({ ...databricks, schema: optionalSchema }),
  }),
  plan('clickhouse', 'ClickHouse', {
    destination: z.object({
      ...clickhouse,
      cluster: z.string().optional().meta({ title: 'Cluster' }),
      connection_database: text('Database to log in to'),
      write_database: place('Database to write to'),
      ...clickhouseStaging,
    }),
    source: z.object({ ...clickhouse, database: place('Database') }),
  }),
  plan('motherduck', 'MotherDuck', {
    destination: z.object({ database: place('Database'), ...schema, ...motherduck }),
    source: z.object({ database: place('Database'), schema: optionalSchema, ...motherduck }),
  }),
];
