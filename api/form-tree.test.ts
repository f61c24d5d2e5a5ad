import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectors } from '../connectors/registry.ts';
import { buildForm, formSections, type FormNode } from './form-tree.ts';
import { fieldOf, shapeOf } from './settings-shape.ts';

// The tree is held against what clients make of it: where they put each value. The rules below are those of
// the contract, written down a second time and without looking at how the tree is made.

const vendors = [...connectors.values()].filter(({ destination }) => destination !== undefined);

const form = buildForm(
  vendors.map((declaration) => ({
    declaration,
    option: { key: declaration.kind, display: declaration.title },
  })),
);

const topLevel = [
  'vendor',
  'name',
  'recipient_id',
  'enabled_models',
  'frequency_minutes',
  'is_enabled',
];

/** Where a client puts the value of a node, given the parent values above it. */
function placeOf(name: string, parents: readonly (string | boolean)[]): string {
  if (topLevel.includes(name)) return name;
  const vendor = String(parents[0]);
  const chain = parents.map((parent) => {
    if (parent === true) return 'ssh_tunnel';
    return parent === false ? 'ssl_options' : parent;
  });
  const isBucket = name === 'bucket_name' || name === 'bucket_region';
  if (isBucket && vendor === 'bigquery') chain.push('bucket_gcs');
  if (isBucket && ['redshift', 'redshift_serverless', 'athena'].includes(vendor))
    chain.push('bucket_s3');
  if (['clickhouse', 'databricks'].includes(vendor)) {
    if (['access_id', 'secret_key'].includes(name)) chain.push('aws_access_keys');
    if (['access_key', 'secret'].includes(name)) chain.push('gcs_hmac_keys');
  }
  return [...new Set([...chain, name])].join('.');
}

function placesBelow(node: FormNode, parents: readonly (string | boolean)[]): string[] {
  return (node.children ?? []).flatMap((child) => {
    const above = [...parents, child.parent];
    return [placeOf(child.name, above), ...placesBelow(child, above)];
  });
}

/** The fields of the settings of a vendor, as dotted paths. */
function fieldsOf(schema: z.core.$ZodType, above: string): string[] {
  return Object.entries(shapeOf(schema)).flatMap(([name, field]) => {
    const path = `${above}.${name}`;
    return fieldOf(field).schema instanceof z.ZodObject ? fieldsOf(field, path) : [path];
  });
}

describe.each(vendors.map(({ kind, destination }) => [kind, destination] as const))(
  'the form of %s',
  (kind, destination) => {
    const own = (form.children ?? []).filter(({ parent }) => parent === kind);

    test('puts every value where the settings have it, and leaves none out', () => {
      const places = own.flatMap((node) => [
        placeOf(node.name, [kind]),
        ...placesBelow(node, [kind]),
      ]);
      const fields = fieldsOf(destination ?? z.object({}), kind);
      const ours = ['name', 'recipient_id', 'enabled_models', 'frequency_minutes', 'is_enabled'];
      expect(new Set(places)).toEqual(new Set([...ours, ...fields]));
    });

    test('shows a node only at a value that its field can have', () => {
      const check = (node: FormNode): void => {
        for (const child of node.children ?? []) {
          const values = node.type === 'boolean' ? [true, false] : node.enum?.map(({ key }) => key);
          expect(values, `${node.name} > ${child.name}`).toContain(child.parent);
          check(child);
        }
      };
      for (const node of own) check(node);
    });
  },
);

test('the root chooses the vendor, and every node has a section of the list', () => {
  expect(form).toMatchObject({ name: 'vendor', parent: '', required: true, type: 'string' });
  expect(form.enum?.map(({ key }) => key)).toEqual(vendors.map(({ kind }) => kind));
  const sections = new Set<string>(formSections.map(({ id }) => id));
  const all = (node: FormNode): FormNode[] => [node, ...(node.children ?? []).flatMap(all)];
  for (const node of all(form)) {
    expect(sections, node.name).toContain(node.attributes.section_id);
    expect(node.attributes.label, node.name).not.toBe('');
  }
});

test('a password is asked for as one, a key of ours is shown, a port is a number', () => {
  const all = (node: FormNode): FormNode[] => [node, ...(node.children ?? []).flatMap(all)];
  const nodes = all(form);
  const find = (name: string) => nodes.filter((node) => node.name === name);
  for (const node of find('password')) expect(node.attributes.input_type).toBe('password');
  for (const node of find('ssh_public_key')) {
    expect(node).toMatchObject({
      parent: true,
      attributes: { form_element: 'div', key_format: 'ssh_rsa' },
    });
  }
  for (const node of find('port')) expect(node.type).toBe('number');
  expect(find('service_account_key')[0]).toMatchObject({
    type: 'json',
    attributes: { form_element: 'textarea' },
  });
});
