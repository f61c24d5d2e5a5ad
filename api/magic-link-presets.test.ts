import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { connectors } from '../connectors/registry.ts';
import { must } from '../lib/must.ts';
import { buildForm } from './form-tree.ts';
import type { FormNode } from './form-tree.ts';
import { fillPresets, lockForm, unfitPresets } from './magic-link-presets.ts';

const schemaOf = (kind: string): z.ZodObject =>
  must(connectors.get(kind)?.destination, `a declaration of ${kind}`);

describe('presets', () => {
  test.each([
    ['s3', { bucket_name: 'b' }, { bucket_name: 'b' }],
    ['redshift', { bucket_name: 'b' }, { bucket_s3: { bucket_name: 'b' } }],
    ['bigquery', { bucket_name: 'b' }, { bucket_gcs: { bucket_name: 'b' } }],
    ['s3_compatible', { bucket_host: 'h' }, { host: 'h' }],
    ['s3_compatible', { bucket_access_id: 'a' }, { access_keys: { access_id: 'a' } }],
    ['databricks', { metastore: 'hive' }, { metastore: 'hive' }],
    [
      'clickhouse',
      { bucket_vendor: 'bucket_gcs', bucket_name: 'b' },
      { bucket_vendor: 'bucket_gcs', bucket_gcs: { bucket_name: 'b' } },
    ],
  ])('of %s stand where its declaration has the field', (kind, presets, block) => {
    expect(unfitPresets(schemaOf(kind), presets)).toEqual([]);
    expect(fillPresets(schemaOf(kind), presets, {})).toEqual({ block, locked: [] });
  });

  test.each([
    ['postgres', { bucket_name: 'b' }, ['bucket_name']],
    ['postgres', { bucket_host: 'h' }, ['bucket_host']],
    ['redshift', { bucket_host: 'h' }, ['bucket_host']],
    ['databricks', { metastore: 'a drawer' }, ['metastore']],
  ])('of %s that fit no field are named', (kind, presets, unfit) => {
    expect(unfitPresets(schemaOf(kind), presets)).toEqual(unfit);
  });

  test('are locked: another value is named, the same one and none are fine', () => {
    const presets = { bucket_name: 'ours' };
    const filled = (bucket_name: string | null) =>
      fillPresets(schemaOf('s3'), presets, { folder: 'x', bucket_name });
    expect(filled('theirs').locked).toEqual(['bucket_name']);
    for (const value of ['ours', '', null]) {
      expect(filled(value)).toEqual({ block: { folder: 'x', bucket_name: 'ours' }, locked: [] });
    }
  });

  test('stand in the form as constants', () => {
    const s3 = must(connectors.get('s3'), 's3');
    const form = buildForm([{ declaration: s3, option: { key: 's3', display: 'S3' } }]);
    const locked = lockForm(form, { bucket_name: 'ours', bucket_access_id: 'key' });
    const found: Record<string, string | undefined> = {};
    const walk = (node: FormNode): void => {
      found[node.name] = node.const;
      node.children?.forEach(walk);
    };
    walk(locked);
    expect(found).toMatchObject({ bucket_name: 'ours', access_id: 'key', folder: undefined });
  });
});
