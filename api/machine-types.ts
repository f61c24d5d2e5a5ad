import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { AppEnv } from './deps.ts';
import { pageOf, success } from './envelope.ts';
import { invalid } from './errors.ts';
import { createRouter } from './router.ts';
import { answers, withKey } from './routes.ts';

const MachineType = z
  .object({ id: z.uuid(), name: z.string(), description: z.string(), is_default: z.boolean() })
  .openapi('MachineType');

export const machineTypes = createRouter().openapi(
  createRoute({
    ...withKey,
    method: 'get',
    path: '/machine-types',
    tags: ['Destinations'],
    summary: 'List the classes of workers that a destination can name',
    responses: answers(pageOf('machine_types', MachineType), 401),
  }),
  (c) => {
    const data = { machine_types: [...c.var.deps.machineTypes] };
    return c.json({ ...success(data, 'Machine types'), has_next: false }, 200);
  },
);

/** @throws Failure `invalid` for a type that there is not, unless it is the one that is stored. */
export function checkMachineType(
  c: Context<AppEnv>,
  { wanted, stored }: { wanted: string | null | undefined; stored: string | null },
): void {
  const id = wanted?.toLowerCase();
  if (id === undefined || id === stored) return;
  const known = c.get('deps').machineTypes;
  if (known.some((type) => type.id === id)) return;
  const path = 'destination.machine_type_id';
  const names = known.map((type) => `${type.id} (${type.name})`).join(', ');
  const message = `${path} ${id} is no machine type of this installation; there is ${names}.`;
  throw invalid([{ path, code: 'unknown_machine_type', message }]);
}
