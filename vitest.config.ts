import { defineConfig } from 'vitest/config';

const nowhere = ['**/node_modules/**', '.waybill/**', '.cache/**', '**/*.live.test.ts'];
const needsServers = '**/*.{local,emulated}.test.ts';

export default defineConfig({
  test: {
    // Worker threads crash with Temporal's native module.
    pool: 'forks',
    // The machine also runs the servers under test.
    maxWorkers: 2,
    // For what hangs. A slow machine is no fault of the code.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: ['**/*.test.ts'], exclude: [...nowhere, needsServers] },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: [needsServers],
          exclude: nowhere,
          globalSetup: 'test/harness/global-setup.ts',
        },
      },
    ],
  },
});
