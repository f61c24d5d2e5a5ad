import { chmod, glob } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../domain/failure.ts';
import { urlOf, type Peer } from './peer.ts';
import { installPythonTool } from './python-tools.ts';

const dltScript = fileURLToPath(new URL('dlt-load.py', import.meta.url));

const dlt = (backend: 'sqlalchemy' | 'connectorx'): Peer => ({
  name: `dlt 1.31.0, ${backend === 'sqlalchemy' ? 'as it comes' : backend}`,
  remark: 'builds no key',
  prepare: async (signal) => {
    const packages = [
      'dlt[postgres]==1.31.0',
      'sqlalchemy==2.0.43',
      'connectorx==0.4.4',
      'pyarrow==21.0.0',
    ];
    const bin = await installPythonTool({ name: 'dlt', packages }, signal);
    return ({ source, destination, schema, folder }) => ({
      command: path.join(bin, 'python'),
      args: [dltScript],
      table: `${schema}.orders`,
      env: {
        BENCH_SOURCE: urlOf(source),
        BENCH_DESTINATION: urlOf(destination),
        BENCH_BACKEND: backend,
        BENCH_SCHEMA: schema,
        BENCH_FOLDER: folder,
        RUNTIME__DLTHUB_TELEMETRY: 'false',
      },
    });
  },
});

const ingestr: Peer = {
  name: 'ingestr 0.15.9',
  remark: 'the key told to be text',
  prepare: async (signal) => {
    const tool = { name: 'ingestr', packages: ['ingestr==0.15.9'] };
    const bin = await installPythonTool(tool, signal);
    return ({ source, destination, schema, folder }) => ({
      command: path.join(bin, 'ingestr'),
      args: [
        ...['ingest', '--yes', '--source-table', 'public.orders'],
        ...['--dest-table', `${schema}.orders`],
        ...['--incremental-strategy', 'replace', '--primary-key', 'id', '--progress', 'log'],
        // It cannot write what it reads of a uuid into one.
        ...['--columns', 'id:string', '--pipelines-dir', folder],
      ],
      table: `${schema}.orders`,
      env: {
        SOURCE_URI: urlOf(source),
        DESTINATION_URI: urlOf(destination),
        DISABLE_TELEMETRY: 'true',
        INGESTR_DISABLE_TELEMETRY: 'true',
      },
    });
  },
};

const sling: Peer = {
  name: 'Sling 1.4.11',
  remark: 'builds no key',
  prepare: async (signal) => {
    // The wheel for this platform holds the program; the package of the plain name fetches it from elsewhere.
    const tool = { name: 'sling', packages: ['sling-linux-amd64==1.4.11'] };
    const bin = await installPythonTool(tool, signal);
    const [command] = await Array.fromAsync(
      glob(path.join(bin, '../lib/*/site-packages/*/bin/sling-*')),
    );
    if (command === undefined) throw new Failure('unavailable', 'the wheel holds no program');
    await chmod(command, 0o755);
    return ({ source, destination, schema, folder }) => ({
      command,
      args: [
        ...['run', '--mode', 'full-refresh'],
        ...['--src-conn', 'BENCH_SOURCE', '--src-stream', 'public.orders'],
        ...['--tgt-conn', 'BENCH_DESTINATION', '--tgt-object', `${schema}.orders`],
      ],
      table: `${schema}.orders`,
      env: {
        BENCH_SOURCE: urlOf(source),
        BENCH_DESTINATION: urlOf(destination),
        SLING_HOME_DIR: folder,
        SLING_DISABLE_TELEMETRY: 'TRUE',
      },
    });
  },
};

export const pythonPeers: readonly Peer[] = [ingestr, sling, dlt('connectorx'), dlt('sqlalchemy')];
