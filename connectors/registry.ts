import type { ConnectorDeclaration, ConnectorRegistry } from './connector.ts';
import { databases } from './planned/databases.ts';
import { stores } from './planned/stores.ts';
import { warehouses } from './planned/warehouses.ts';
import { auroraPostgres, postgres } from './postgres/declaration.ts';

const declarations: readonly ConnectorDeclaration[] = [
  postgres,
  auroraPostgres,
  ...databases,
  ...warehouses,
  ...stores,
];

/** Every system that Waybill can reach, or will. Drivers are loaded when a connection is first opened. */
export const connectors: ConnectorRegistry = new Map(declarations.map((one) => [one.kind, one]));
