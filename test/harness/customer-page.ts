import type { Page, PageRequest } from './browser.ts';

// The calls that the official hooks for pages make, each with exactly the headers that section 18 of the
// contract gives it: the version on some of them only, never a Content-Type, both spellings of paths.

export interface Envelope<T> {
  readonly status: string;
  readonly message: string;
  readonly data: T;
  readonly has_next?: boolean;
  readonly next_url?: string;
}

export interface PageOptions {
  readonly page: Page;
  /** Of the API, without a slash at the end. */
  readonly host: string;
  /** As the page writes it: with or without a scheme. */
  readonly appId: string;
  /** The page's own backend, which makes a token for what is about to be sent. */
  readonly fetchToken: (destination: object) => Promise<string>;
}

const version = { 'X-Prequel-Api-Version': '2023-12-01' };

type Call = Pick<PageRequest, 'method' | 'body'> & {
  /** What the token is asked for; left out: the call has no token. */
  readonly on?: object;
  readonly isVersioned?: boolean;
};

export function customerPage({ page, host, appId, fetchToken }: PageOptions) {
  /** Parses whatever comes as JSON, without a look at the status. */
  async function call<T>(path: string, { on, isVersioned, ...request }: Call = {}) {
    const token = on && {
      Authorization: `Bearer ${await fetchToken(on)}`,
      'X-APP-ID': appId,
    };
    const headers = { ...token, ...(isVersioned && version) };
    const hasHeaders = Object.keys(headers).length > 0;
    const { text } = await page.fetch(`${host}${path}`, {
      ...request,
      ...(hasHeaders && { headers }),
    });
    return JSON.parse(text) as Envelope<T>;
  }
  const write = (destination: object, on: object = destination) => ({
    method: 'POST',
    on,
    isVersioned: true,
    body: JSON.stringify({ destination }),
  });
  return {
    vendors: <T>() => call<T>('/public/destination-vendors'),
    form: <T>(query: string) =>
      call<T>(`/public/forms/destination-vendors${query}`, { isVersioned: true }),
    sshKey: <T>() => call<T>('/actions/generate-ssh-key', { method: 'POST' }),
    models: <T>() => call<T>('/export/models', { on: {} }),
    products: <T>() => call<T>('/export/products', { on: {} }),
    modelsForRecipient: <T>() => call<T>('/export/models-for-recipient', { on: {} }),
    destinations: <T>() => call<T>('/destinations-for-recipient', { on: {}, isVersioned: true }),
    test: <T>(destination: object) => call<T>('/test-destination', write(destination)),
    create: <T>(destination: object) => call<T>('/destinations', write(destination)),
    update: <T>(id: string, changes: object) =>
      call<T>(`/export/destinations/${id}`, { ...write(changes), method: 'PATCH' }),
    testExisting: <T>(id: string, changes: object) =>
      call<T>(`/export/destinations/${id}/test-connection`, write(changes)),
    remove: <T>(stored: { id: string }) =>
      call<T>(`/destinations/${stored.id}`, { method: 'DELETE', on: stored }),
    transfers: <T>(stored: { id: string }, query: string) =>
      call<T>(`/export/destinations/${stored.id}/transfers${query}`, { on: stored }),
    listTransfers: <T>(stored: { id: string }, query: string) =>
      call<T>(`/export/destinations/${stored.id}/transfers${query}`, {
        on: stored,
        isVersioned: true,
      }),
  };
}

/** How such pages go on: they take the cursor apart, keep the two keys they know and put it together anew. */
export function nextQuery(nextUrl: string, pageSize: number): string {
  const cursor = new URLSearchParams(nextUrl.split('?')[1]).get('cursor') ?? '';
  const { id, last_seen_sort_value } = JSON.parse(atob(cursor)) as Record<string, string>;
  const again = btoa(JSON.stringify({ id, last_seen_sort_value }));
  return `?${new URLSearchParams({ page_size: String(pageSize), cursor: again }).toString()}`;
}

/** The values of an object by the names of its leaves, which is how a page holds them. */
export function flatten(object: object): Record<string, unknown> {
  const entries = Object.entries(object).map(([name, value]: [string, unknown]) =>
    isObject(value) ? flatten(value) : { [name]: value },
  );
  return Object.assign({}, ...entries) as Record<string, unknown>;
}

/** What a page sends as a change: leaves of the new object that differ from the one that was read. */
export function changesOf(before: object, after: object): Record<string, unknown> {
  const entries = Object.entries(after).flatMap(([name, value]: [string, unknown]) => {
    const old: unknown = Reflect.get(before, name);
    if (isObject(value) && isObject(old)) {
      const below = changesOf(old, value);
      return Object.keys(below).length > 0 ? [[name, below]] : [];
    }
    const isSame = Array.isArray(value)
      ? JSON.stringify(old) === JSON.stringify(value)
      : old === value;
    return isSame ? [] : [[name, value]];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
