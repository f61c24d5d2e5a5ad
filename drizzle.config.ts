import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: ['./db/columns.ts', './db/schema.ts', './db/*-schema.ts'],
  out: './db/migrations',
});
