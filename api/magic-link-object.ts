import { z } from '@hono/zod-openapi';
import type { ConnectorRegistry } from '../connectors/connector.ts';
import type { MagicLinkRecord } from '../db/magic-links.ts';
import { invalid } from './errors.ts';
import { Name, emptyAsAbsent, wireInteger } from './inputs.ts';
import type { PresetName, Presets } from './magic-link-presets.ts';
import { presetNames, unfitPresets } from './magic-link-presets.ts';
import { instantOut } from '../domain/outputs.ts';

export const weekSeconds = 604_800;
const yearSeconds = 31_536_000;

/** One schema for each preset. */
function presetsOf<T extends z.ZodType>(schema: T): Record<PresetName, T> {
  return Object.fromEntries(presetNames.map((name) => [name, schema])) as Record<PresetName, T>;
}

const optionalText = (max: number) =>
  emptyAsAbsent(z.string().trim().max(max)).openapi({ type: 'string' });

const RedirectUrl = z
  .url({ protocol: /^https$/, error: 'must be a URL that begins with https://.' })
  .max(2048);

export const MagicLinkInput = z
  .object({
    recipient_id: z.uuid(),
    name: Name.openapi({ description: 'Of the destination to be made.' }),
    vendor: optionalText(60).openapi({
      type: 'string',
      description: 'None: the customer chooses.',
    }),
    ...presetsOf(optionalText(1024)),
    set_destination_enabled: z.boolean().nullish().openapi({ default: true }),
    redirect_url: emptyAsAbsent(RedirectUrl).openapi({ type: 'string', format: 'uri' }),
    expires_in_seconds: wireInteger({ min: 60, max: yearSeconds })
      .nullish()
      .openapi({ default: weekSeconds }),
  })
  .openapi('MagicLinkInput', {
    description:
      'The presets of the bucket are those of the vendor; they are filled in and locked.',
  });
type Input = z.infer<typeof MagicLinkInput>;

export const MagicLink = z
  .object({
    id: z.uuid(),
    name: z.string(),
    recipient_id: z.uuid(),
    id_in_provider_system: z.string(),
    products: z.array(z.string()),
    available_models: z.array(z.string()),
    host: z.string().openapi({ description: 'Where the link leads.' }),
    link: z.string().openapi({ description: 'Shown when it is made, and never again.' }),
    has_been_used: z.boolean(),
    vendor: z.string(),
    ...presetsOf(z.string()),
    ssh_public_key: z.string(),
    set_destination_enabled: z.boolean(),
    redirect_url: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .openapi('MagicLink');

export const magicLinkExample = {
  magic_link: {
    recipient_id: '0199aa00-0000-7000-8000-000000000001',
    name: 'Northwind warehouse',
    vendor: 'postgres',
  },
};

/** The object of the API without what only its maker sees. What does not apply is empty. */
export function presentMagicLink(link: MagicLinkRecord, publicUrl: string) {
  const presets = Object.fromEntries(presetNames.map((name) => [name, link.presets[name] ?? '']));
  return {
    id: link.id,
    name: link.name,
    recipient_id: link.recipientId,
    id_in_provider_system: link.idInProviderSystem,
    products: link.products,
    host: new URL(publicUrl).host,
    link: '',
    has_been_used: link.usedAt !== null,
    vendor: link.vendor ?? '',
    ...(presets as Record<PresetName, string>),
    ssh_public_key: '',
    set_destination_enabled: link.setDestinationEnabled,
    redirect_url: link.redirectUrl ?? '',
    created_at: instantOut(link.createdAt),
    expires_at: instantOut(link.expiresAt),
  };
}

/** What the input fills in and locks. @throws Failure `invalid` where the vendor has no such field */
export function presetsIn(input: Input, registry: ConnectorRegistry): Presets {
  const given = presetNames.flatMap((name) => (input[name] ? [[name, input[name]] as const] : []));
  const presets: Presets = Object.fromEntries(given);
  const { vendor } = input;
  if (vendor === undefined) {
    if (given.length === 0) return presets;
    const [[name] = ['']] = given;
    const message = `magic_link.${name} needs magic_link.vendor: each vendor has fields of its own.`;
    throw invalid([{ path: 'magic_link.vendor', code: 'required', message }]);
  }
  const declaration = registry.get(vendor);
  if (declaration?.destination === undefined || declaration.isPlanned === true) {
    const message = `magic_link.vendor "${vendor}" is not served as a destination by this version.`;
    throw invalid([{ path: 'magic_link.vendor', code: 'unknown_vendor', message }]);
  }
  const unfit = unfitPresets(declaration.destination, presets).map((name) => ({
    path: `magic_link.${name}`,
    code: 'unfit_preset',
    message: `magic_link.${name} fits no field of a ${declaration.title} destination.`,
  }));
  if (unfit.length > 0) throw invalid(unfit);
  return presets;
}
