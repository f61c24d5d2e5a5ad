import type { z } from 'zod';
import type { ConnectorDeclaration } from '../connector.ts';

/**
 * A vendor of the contract whose connector is not built: its form and its documents are there, connecting is
 * refused with a sentence. A connector replaces its line in the registry, and this declaration goes.
 */
export function plan(
  kind: string,
  title: string,
  roles: { source?: z.ZodObject; destination?: z.ZodObject },
): ConnectorDeclaration {
  return {
    kind,
    title,
    source: roles.source,
    destination: roles.destination,
    isPlanned: true,
    load: async () => ({}),
  };
}
