import type { ConnectorDeclaration, ConnectorRegistry } from './connector.ts';
import { auroraPostgres, postgres } from './postgres/declaration.ts';

const declarations: readonly ConnectorDeclaration[] = [postgres, auroraPostgres];

/** Every system that Waybill can reach. Drivers are loaded when a connection is first opened. */
export const connectors: ConnectorRegistry = new Map(declarations.map((one) => [one.kind, one]));
