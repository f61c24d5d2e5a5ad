// What an API key may be limited to. A key without scopes may do everything in its environment.

export const keyAreas = [
  'sources',
  'models',
  'recipients',
  'destinations',
  'transfers',
  'tokens',
  'webhooks',
  'logs',
  'settings',
] as const;
export type KeyArea = (typeof keyAreas)[number];

/** `<area>:read` reads; `<area>:write` reads and writes; `read` reads everything. */
export type KeyScope = 'read' | `${KeyArea}:${'read' | 'write'}`;

export const keyScopes: readonly KeyScope[] = [
  'read',
  ...keyAreas.flatMap((area) => [`${area}:read`, `${area}:write`] as const),
];

/** First segments of paths, and the two places where a deeper one decides. */
const areas: ReadonlyMap<string, KeyArea> = new Map(
  Object.entries({
    sources: 'sources',
    'test-source': 'sources',
    models: 'models',
    'models-for-recipient': 'models',
    products: 'models',
    'actions/validate-config': 'models',
    'actions/infer-model': 'models',
    'actions/plan-model': 'models',
    recipients: 'recipients',
    'recipient-source-credentials': 'recipients',
    destinations: 'destinations',
    'destinations-for-recipient': 'destinations',
    'test-destination': 'destinations',
    'magic-links': 'destinations',
    'machine-types': 'destinations',
    'actions/pause-all-destinations': 'destinations',
    'actions/enable-all-destinations': 'destinations',
    transfers: 'transfers',
    'destinations/*/transfer': 'transfers',
    'destinations/*/transfers': 'transfers',
    'destinations/*/data-integrity': 'transfers',
    'actions/generate-scoped-auth-token': 'tokens',
    webhooks: 'webhooks',
    'sensitive-trace-endpoints': 'webhooks',
    logs: 'logs',
    settings: 'settings',
  } as const),
);

/**
 * The scope that a call needs; undefined where any key will do (`GET /`).
 * @param path as routed, without `/export` and without a query
 * @returns `unknown` for a path that no area holds: only a key without scopes may call it
 */
export function scopeNeeded(method: string, path: string): KeyScope | 'unknown' | undefined {
  const [first = '', second = '', third] = path.split('/').slice(1);
  if (first === '') return undefined;
  const area =
    areas.get(`${first}/*/${third}`) ?? areas.get(first) ?? areas.get(`${first}/${second}`);
  if (area === undefined) return 'unknown';
  return `${area}:${method === 'GET' || method === 'HEAD' ? 'read' : 'write'}`;
}

/** Whether a key with these scopes may do what needs that one. Null: the key has no limits. */
export function allowsScope(
  scopes: readonly string[] | null,
  needed: ReturnType<typeof scopeNeeded>,
): boolean {
  if (scopes === null || needed === undefined) return true;
  if (scopes.includes(needed)) return true;
  const [area, verb] = needed.split(':');
  return verb === 'read' && (scopes.includes('read') || scopes.includes(`${area}:write`));
}
