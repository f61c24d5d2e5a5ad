import type { ConnectorRegistry } from '../connectors/connector.ts';
import type { MagicLinkRecord } from '../db/magic-links.ts';
import { isJsonObject } from '../lib/deep-merge.ts';
import type { DestinationInput, DestinationPatch } from './destination-object.ts';
import { invalid, refuse } from './errors.ts';
import type { FormNode } from './form-tree.ts';
import { frequencies } from './form-tree.ts';
import { fillPresets, lockForm } from './magic-link-presets.ts';
import { settingsSchema } from './settings.ts';

/** What the vendor alone decides. */
const vendorsOwn = [
  'max_concurrent_transfers',
  'max_concurrent_queries_per_transfer',
  'machine_type_id',
  'schedule',
] as const;

/** In minutes; 0 is the usual one of the account. */
export const offeredFrequencies = frequencies.map(([minutes]) => Number(minutes));

/**
 * The destination that the holder of the link asks for, with all that the link fills in.
 * @throws 403 naming fields that are locked and differ; Failure `invalid`
 */
export function destinationBehind(
  link: MagicLinkRecord,
  input: DestinationPatch,
  registry: ConnectorRegistry,
): DestinationInput {
  const vendor = link.vendor ?? input.vendor;
  if (!vendor) {
    const message = 'destination.vendor is missing; it must be the kind of system.';
    throw invalid([{ path: 'destination.vendor', code: 'required', message }]);
  }
  const locked = {
    vendor,
    name: link.name,
    recipient_id: link.recipientId,
    id_in_provider_system: link.idInProviderSystem,
  };
  const asked = { ...input, recipient_id: input.recipient_id?.toLowerCase() };
  for (const [field, value] of Object.entries(locked))
    check(field, Reflect.get(asked, field), value);
  for (const field of vendorsOwn) check(field, input[field], undefined);
  const { frequency_minutes: frequency } = input;
  if (typeof frequency === 'number' && !offeredFrequencies.includes(frequency)) {
    const offered = offeredFrequencies.join(', ');
    throw refuse(403, `destination.frequency_minutes must be one of ${offered} behind a link.`);
  }
  const schema = settingsSchema(registry, 'destination', vendor);
  const given = input[vendor];
  const filled = fillPresets(schema, link.presets, isJsonObject(given) ? given : {});
  const [moved] = filled.locked;
  if (moved !== undefined) throw lockedField(`${vendor}.${moved}`);
  return {
    vendor,
    name: link.name,
    enabled_models: input.enabled_models,
    frequency_minutes: input.frequency_minutes,
    is_enabled: link.setDestinationEnabled && (input.is_enabled ?? true),
    [vendor]: filled.block,
  };
}

/** The form without what the link has decided already, and with its presets as constants. */
export function cutForm(form: FormNode, link: MagicLinkRecord): FormNode {
  const decided = new Set([
    'name',
    'recipient_id',
    ...(link.setDestinationEnabled ? [] : ['is_enabled']),
  ]);
  const children = form.children?.filter(({ name }) => !decided.has(name)) ?? null;
  const locked = lockForm({ ...form, children }, link.presets);
  return link.vendor === null ? locked : { ...locked, const: link.vendor };
}

function check(field: string, given: unknown, wanted: string | undefined): void {
  if (given === undefined || given === null || given === '' || given === wanted) return;
  throw lockedField(field);
}

function lockedField(path: string): Error {
  const message = `destination.${path} is fixed by this link. Leave it out, or ask for another link.`;
  return refuse(403, message);
}
