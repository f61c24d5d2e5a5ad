import { afterAll, beforeAll, describe } from 'vitest';
import { must } from '../lib/must.ts';
import { describeConnecting } from './contract/connecting.ts';
import { describeEvolving } from './contract/evolving.ts';
import { describeMerging } from './contract/merging.ts';
import { describeReading } from './contract/reading.ts';
import { describeReplacing } from './contract/replacing.ts';
import type { ConnectorUnderTest } from './contract/rig.ts';
import { describeValues } from './contract/values.ts';

/**
 * What every connector has to do, whatever it reaches. `setup` is called once and gives two empty places;
 * each test takes tables of its own in them.
 */
export function describeConnectorContract(
  name: string,
  setup: () => Promise<ConnectorUnderTest>,
): void {
  describe(`the contract, kept by ${name}`, () => {
    let running: ConnectorUnderTest | undefined;
    const system = () => must(running, 'a system under test');

    beforeAll(async () => {
      running = await setup();
    });
    afterAll(() => running?.[Symbol.asyncDispose]());

    describe('connecting', () => {
      describeConnecting(system);
    });
    describe('reading', () => {
      describeReading(system);
    });
    describe('values', () => {
      describeValues(system);
    });
    describe('merging', () => {
      describeMerging(system);
    });
    describe('replacing', () => {
      describeReplacing(system);
    });
    describe('evolving', () => {
      describeEvolving(system);
    });
  });
}
