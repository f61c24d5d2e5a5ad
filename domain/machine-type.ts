import { z } from 'zod';

/** A class of workers that a destination can name. Today every worker serves all of them. */
export const MachineType = z.object({
  id: z.uuid().transform((id) => id.toLowerCase()),
  name: z.string().trim().min(1).max(255),
  description: z.string().max(1000).default(''),
  is_default: z.boolean().default(false),
});
export type MachineType = z.infer<typeof MachineType>;

/** What there is where the operator has named none. */
export const usualMachineTypes: readonly MachineType[] = [
  {
    id: '00000000-0000-7000-8000-000000000001',
    name: 'standard',
    description: 'Any worker.',
    is_default: true,
  },
];

/** Those written as a JSON list; undefined where the text is no list of such types with one default. */
export function readMachineTypes(text: string): readonly MachineType[] | undefined {
  const { success, data: types } = MachineTypes.safeParse(parse(text));
  if (!success || types.filter((one) => one.is_default).length !== 1) return undefined;
  return new Set(types.map(({ id }) => id)).size === types.length ? types : undefined;
}

const MachineTypes = z.array(MachineType).min(1).max(100);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
