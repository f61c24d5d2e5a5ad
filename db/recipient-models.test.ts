import { describe, expect, test } from 'vitest';
import { isEnabledModel, modelNamesOf } from './recipient-models.ts';

const basic = { name: 'basic', models: ['invoices', 'payments'] };
const plus = { name: 'plus', models: ['payments', 'events'] };
const standard = { name: 'default', models: ['invoices'] };

describe('the models of a recipient', () => {
  test.each([
    ['every model, without any product', { recipientProducts: [], products: [] }, '*'],
    [
      'every model, though it names a product that is gone',
      { recipientProducts: ['basic'], products: [] },
      '*',
    ],
    [
      'the union of its products',
      { recipientProducts: ['basic', 'plus'], products: [basic, plus, standard] },
      ['invoices', 'payments', 'events'],
    ],
    [
      'those of the product default, without a product of its own',
      { recipientProducts: [], products: [basic, standard] },
      ['invoices'],
    ],
    [
      'every model, where there is no product default either',
      { recipientProducts: [], products: [basic] },
      '*',
    ],
    [
      'none, where its product is not known',
      { recipientProducts: ['gone'], products: [basic] },
      [],
    ],
  ])('are %s', (_, catalogue, expected) => {
    const names = modelNamesOf(catalogue);
    expect(names === '*' ? '*' : [...names]).toEqual(expected);
  });
});

test('a star enables every model, a list only what it names', () => {
  expect(isEnabledModel(['*'], 'invoices')).toBe(true);
  expect(isEnabledModel(['invoices'], 'invoices')).toBe(true);
  expect(isEnabledModel(['invoices'], 'payments')).toBe(false);
  expect(isEnabledModel([], 'invoices')).toBe(false);
});
