import JSON5 from 'json5';
import { expect, test } from 'vitest';
import { proposeModel } from '../domain/propose-model.ts';
import { modelText } from './model-text.ts';

test('a proposal is a file that reads back as the same model, whatever its names are', () => {
  const columns = [
    { name: 'id\n}', type: 'bigint', fits: ['bigint'] as const, nullable: false, keyPlace: 1 },
    {
      ...{ name: "it's", type: 'text\u2028x', fits: ['string'] as const, nullable: true },
      comment: 'Two\nlines // and "quotes"',
    },
  ];
  const table = { sourceName: "Bob's", sourceTable: 'public."odd\nname"', table: 'odd\nname' };
  const proposal = proposeModel({ ...table, columns });
  const text = modelText(proposal);
  expect(JSON5.parse(text)).toEqual({ model: proposal.model });
  expect(text).toContain('// No column looks like a tenant.');
  expect(text).toContain('// bigint; renamed: check the name');
});
