import { z } from 'zod';
import {
  authMethods,
  awsIamRole,
  disableSsl,
  passwordAuth,
  place,
  port,
  sshTunnel,
  text,
} from '../fields.ts';
import { plan } from './declare.ts';

const login = authMethods({ password_auth: passwordAuth });

function mySqlLike(kind: string, title: string, { isSource }: { isSource: boolean }) {
  const shared = { host: place('Host'), port: port(3306), ...login, ...disableSsl, ...sshTunnel };
  return plan(kind, title, {
    destination: z.object({
      ...shared,
      connection_database: text('Database to log in to'),
      write_database: place('Database to write to'),
    }),
    ...(isSource && { source: z.object({ ...shared, database: place('Database') }) }),
  });
}

const sqlServer = { host: place('Host'), port: port(1433), ...login, ...disableSsl, ...sshTunnel };

const oracle = {
  host: place('Host'),
  port: port(1521),
  database: place('Service name'),
  ...login,
  ...disableSsl,
  ssl_options: z
    .object({ wallet: z.string().optional().meta({ title: 'Wallet' }) })
    .optional()
    .meta({ title: 'TLS' }),
  ...sshTunnel,
};

const mongo = {
  host: place('Host'),
  port: port(27_017),
  authentication_database: z.string().optional().meta({ title: 'Database of the login' }),
  ...authMethods({ aws_iam_role: awsIamRole, password_auth: passwordAuth }),
  ...disableSsl,
  ...sshTunnel,
};

const optionalSchema = z.string().optional().meta({ title: 'Schema', place: true });

/** Databases that hold one customer's rows behind a host and a port. */
export const databases = [
  mySqlLike('mysql', 'MySQL', { isSource: true }),
  mySqlLike('aurora_mysql', 'Amazon Aurora MySQL', { isSource: true }),
  mySqlLike('planetscale', 'PlanetScale', { isSource: false }),
  mySqlLike('singlestore', 'SingleStore', { isSource: false }),
  plan('sql_server', 'Microsoft SQL Server', {
    destination: z.object({
      ...sqlServer,
      connection_database: text('Database to log in to'),
      write_database: place('Database to write to'),
      // Newer clients name the database as other systems do.
      database: z.string().min(1).optional().meta({ title: 'Database', internal: true }),
      schema: optionalSchema,
    }),
    source: z.object({ ...sqlServer, database: place('Database'), schema: optionalSchema }),
  }),
  plan('oracle', 'Oracle', {
    destination: z.object({ ...oracle, schema: place('Schema') }),
    source: z.object({ ...oracle, schema: optionalSchema }),
  }),
  plan('mongodb', 'MongoDB', {
    destination: z.object({ ...mongo, write_database: place('Database to write to') }),
    source: z.object({ ...mongo, database: place('Database') }),
  }),
];
