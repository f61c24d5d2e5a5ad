import { describe, expect, test } from 'vitest';
import type { Finding } from '../../connectors/connector.ts';
import { Rig, type ConnectorUnderTest } from './rig.ts';

/** What a login must do, and say when it cannot. */
export function describeConnecting(system: () => ConnectorUnderTest): void {
  const errors = (findings: Finding[]) => findings.filter(({ status }) => status === 'error');

  describe('a good login', () => {
    test('a source finds nothing wrong', async () => {
      const rig = await Rig.create(system());
      await using source = await rig.openSource();
      const findings = await source.check();
      expect(findings.length).toBeGreaterThan(0);
      expect(errors(findings)).toEqual([]);
    });

    test('a destination finds nothing wrong, twice', async () => {
      const rig = await Rig.create(system());
      await using destination = await rig.openDestination();
      for (const findings of [await destination.check(), await destination.check()]) {
        expect(findings.length).toBeGreaterThan(0);
        expect(errors(findings)).toEqual([]);
      }
    });
  });

  describe.each([
    ['refused', 'denied', 'AUTH'],
    ['unreachable', 'unreachable', undefined],
  ] as const)('a login that is %s', (fault, kind, code) => {
    test('of a source is told by its check, with a remedy, and thrown by its verbs', async () => {
      const rig = await Rig.create(system());
      const { [fault]: settings } = system().source;
      await using source = await rig.openSource(settings);
      const [error] = errors(await source.check());
      expect(error?.message).toMatch(/\.$/);
      const describing = rig.openSource(settings).then((opened) => opened.describe(rig.relation));
      await expect(describing).rejects.toMatchObject({
        kind: `source_${kind}`,
        ...(code && { code }),
      });
    });

    test('of a destination is told by its check, with a remedy, and thrown by its verbs', async () => {
      const rig = await Rig.create(system());
      const { [fault]: settings } = system().destination;
      await using destination = await rig.openDestination(settings);
      const [error] = errors(await destination.check());
      expect(error?.message).toMatch(/\.$/);
      const recalling = rig.openDestination(settings).then((opened) => opened.recall(rig.modelId));
      await expect(recalling).rejects.toMatchObject({
        kind: `destination_${kind}`,
        ...(code && { code }),
      });
    });
  });
}
