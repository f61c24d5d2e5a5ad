import { z } from 'zod';
import type { ConnectorDeclaration } from '../connectors/connector.ts';
import { fieldOf, metaOf, shapeOf, wordsOf } from './settings-shape.ts';

// The form of a connection as a tree, made from what connectors declare. Clients derive from the tree where
// each value stands in the request: the chain of the `parent` values above a node, then its name.

export interface FormOption {
  readonly key: string;
  readonly display: string;
  readonly docs?: string;
  readonly icon_url?: string;
  readonly disabled?: boolean;
}

export interface FormNode {
  readonly name: string;
  /** The value of the field above at which this one is shown. */
  readonly parent: string | boolean;
  readonly required: boolean;
  readonly type: 'string' | 'number' | 'boolean' | 'json';
  readonly enum?: readonly FormOption[];
  /** Shown, and not to be changed. */
  readonly const?: string;
  readonly attributes: FormAttributes;
  readonly children: readonly FormNode[] | null;
}

interface FormAttributes {
  readonly section_id: string;
  readonly internal: boolean;
  readonly label: string;
  readonly placeholder: string | null;
  readonly description: string | null;
  readonly form_element: 'select' | 'input' | 'radio' | 'textarea' | 'div';
  readonly input_type?: 'text' | 'password' | 'number';
  readonly key_format?: 'ssh_rsa' | 'pkcs8';
}

export const formSections = [
  { id: 'vendor', title: 'Destination', subtitle: null },
  { id: 'general', title: 'General', subtitle: null },
  { id: 'connection', title: 'Connection', subtitle: 'Where the rows shall go' },
  { id: 'auth', title: 'Authentication', subtitle: 'How we log in there' },
  { id: 'ssh', title: 'SSH tunnel', subtitle: null },
  { id: 'files', title: 'Files', subtitle: null },
] as const;

type Section = (typeof formSections)[number]['id'];

/** The selector of vendors, below it the fields of each. */
export function buildForm(
  vendors: readonly { declaration: ConnectorDeclaration; option: FormOption }[],
): FormNode {
  return {
    name: 'vendor',
    parent: '',
    required: true,
    type: 'string',
    enum: vendors.map(({ option }) => option),
    attributes: attributes('vendor', { label: 'Destination type', form_element: 'select' }),
    children: vendors.flatMap(({ declaration: { kind, destination } }) =>
      destination === undefined
        ? []
        : [...commonNodes(kind), ...nodesOf(destination, { parent: kind, section: 'connection' })],
    ),
  };
}

/** Minutes that forms offer; the API takes others too. */
export const frequencies = [
  ['0', 'Default'],
  ['15', 'Every 15 minutes'],
  ['60', 'Every hour'],
  ['360', 'Every 6 hours'],
  ['720', 'Every 12 hours'],
  ['1440', 'Every day'],
] as const;

/** What every destination has besides its connection. */
function commonNodes(parent: string): FormNode[] {
  const general = (label: string, more: Partial<FormAttributes> = {}) =>
    attributes('general', { label, form_element: 'input', input_type: 'text', ...more });
  const text = { parent, required: false, type: 'string' as const, children: null };
  const isEnabled = attributes('general', { label: 'Enabled', form_element: 'radio' });
  const frequency = attributes('general', { label: 'Frequency', form_element: 'select' });
  return [
    { ...text, name: 'name', required: true, attributes: general('Name') },
    { ...text, name: 'recipient_id', attributes: general('Recipient', { internal: true }) },
    { ...text, name: 'enabled_models', attributes: general('Tables', { internal: true }) },
    {
      ...{ ...text, name: 'frequency_minutes', type: 'number', attributes: frequency },
      enum: frequencies.map(([key, display]) => ({ key, display })),
    },
    { ...text, name: 'is_enabled', type: 'boolean', attributes: isEnabled },
  ];
}

interface Place {
  readonly parent: string | boolean;
  readonly section: Section;
}

/** What is shown below a boolean, at which of its values. */
const belowBooleans: Readonly<Record<string, { object: string; at: boolean; section: Section }>> = {
  use_ssh_tunnel: { object: 'ssh_tunnel', at: true, section: 'ssh' },
  disable_ssl: { object: 'ssl_options', at: false, section: 'connection' },
};

/** One node for each field; an object that stands for a value of a list is shown below that value. */
function nodesOf(schema: z.core.$ZodType, place: Place): FormNode[] {
  const shape = shapeOf(schema);
  const below = new Map<string, FormNode[]>();
  const taken = new Set<string>();
  for (const [name, field] of Object.entries(shape)) {
    const options = wordsOf(field).filter((option) => shape[option] !== undefined);
    const section = name === 'auth_method' ? 'auth' : sectionOf(name, place.section);
    for (const option of options) taken.add(option);
    const nodes = options.flatMap((option) =>
      nodesOf(shape[option] ?? z.object({}), { parent: option, section }),
    );
    const more = belowBooleans[name];
    const object = more && shape[more.object];
    if (more !== undefined && object !== undefined) {
      taken.add(more.object);
      nodes.push(...nodesOf(object, { parent: more.at, section: more.section }));
    }
    below.set(name, nodes);
  }
  return Object.entries(shape).flatMap(([name, field]) => {
    if (taken.has(name)) return [];
    // An object that no list names: clients know where its fields belong.
    if (isObject(field)) return nodesOf(field, place);
    return [nodeOf(name, field, { ...place, children: below.get(name) ?? [] })];
  });
}

function nodeOf(
  name: string,
  field: z.core.$ZodType,
  place: Place & { children: readonly FormNode[] },
): FormNode {
  const options = wordsOf(field);
  const titles = metaOf(field).options ?? {};
  return {
    name,
    parent: place.parent,
    required: !fieldOf(field).isOptional || metaOf(field).needed === true,
    type: typeOf(field),
    ...(options.length > 0 && {
      enum: options.map((key) => ({ key, display: titles[key] ?? key })),
    }),
    attributes: attributesOf(name, field, place.section),
    children: place.children.length > 0 ? place.children : null,
  };
}

function attributesOf(name: string, field: z.core.$ZodType, section: Section): FormAttributes {
  const { title, help, placeholder, internal, keyFormat } = metaOf(field);
  const element = elementOf(field);
  return attributes(sectionOf(name, section), {
    label: title ?? name,
    placeholder: placeholder ?? null,
    description: help ?? null,
    internal: internal === true,
    form_element: element,
    ...(element === 'input' && { input_type: inputOf(field) }),
    ...(keyFormat !== undefined && { key_format: keyFormat }),
  });
}

function elementOf(field: z.core.$ZodType): FormAttributes['form_element'] {
  if (wordsOf(field).length > 0) return 'select';
  // Shown, not asked: the key is ours.
  if (metaOf(field).keyFormat !== undefined) return 'div';
  const type = typeOf(field);
  if (type === 'boolean') return 'radio';
  return type === 'json' ? 'textarea' : 'input';
}

function inputOf(field: z.core.$ZodType): 'text' | 'password' | 'number' {
  if (metaOf(field).secret === true) return 'password';
  return typeOf(field) === 'number' ? 'number' : 'text';
}

function attributes(
  section: Section,
  given: Pick<FormAttributes, 'label' | 'form_element'> & Partial<FormAttributes>,
): FormAttributes {
  return { section_id: section, internal: false, placeholder: null, description: null, ...given };
}

function sectionOf(name: string, usual: Section): Section {
  if (name === 'auth_method') return 'auth';
  if (name === 'use_ssh_tunnel') return 'ssh';
  return /^(file_format|disable_manifest)$/.test(name) ? 'files' : usual;
}

function isObject(field: z.core.$ZodType): boolean {
  return fieldOf(field).schema instanceof z.ZodObject;
}

function typeOf(field: z.core.$ZodType): FormNode['type'] {
  const { schema } = fieldOf(field);
  if (metaOf(field).json === true) return 'json';
  if (schema instanceof z.ZodNumber) return 'number';
  return schema instanceof z.ZodBoolean ? 'boolean' : 'string';
}
