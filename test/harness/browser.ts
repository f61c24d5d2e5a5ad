// What a browser does around `fetch` for a page of another origin, as the fetch standard has it: it asks
// first where a request is not a simple one, and keeps from the page what the server does not open to it.

export interface PageRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface PageAnswer {
  readonly status: number;
  readonly text: string;
  /** Only what a page of another origin may see. */
  readonly cacheControl: string | null;
}

/** What went over the wire, preflights included. */
export interface Sent {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface Page {
  readonly sent: Sent[];
  /** @throws TypeError as pages get it, which know no more */
  fetch(url: string, request?: PageRequest): Promise<PageAnswer>;
}

const simpleMethods = ['GET', 'HEAD', 'POST'];
const simpleHeaders = ['accept', 'accept-language', 'content-language'];

export function openPage(origin: string): Page {
  const sent: Sent[] = [];
  const send = async (url: string, request: PageRequest): Promise<Response> => {
    const { pathname, search } = new URL(url);
    const { method = 'GET', headers = {}, body } = request;
    sent.push({ method, path: `${pathname}${search}`, headers, body });
    const response = await fetch(url, {
      method,
      headers: { ...headers, Origin: origin },
      redirect: 'error',
      ...(body !== undefined && { body }),
    });
    if (!['*', origin].includes(response.headers.get('access-control-allow-origin') ?? '')) {
      throw new TypeError('Failed to fetch');
    }
    return response;
  };
  return {
    sent,
    async fetch(url, request = {}) {
      const { method = 'GET', headers = {} } = request;
      const names = Object.keys(headers).map((name) => name.toLowerCase());
      const special = names.filter((name) => !simpleHeaders.includes(name)).toSorted();
      if (!simpleMethods.includes(method) || special.length > 0) {
        const asked = { method: 'OPTIONS', headers: preflight(method, special) };
        checkAllowed(await send(url, asked), method, special);
      }
      const response = await send(url, request);
      const cacheControl = response.headers.get('cache-control');
      return { status: response.status, text: await response.text(), cacheControl };
    },
  };
}

function preflight(method: string, names: readonly string[]): Record<string, string> {
  return {
    'Access-Control-Request-Method': method,
    ...(names.length > 0 && { 'Access-Control-Request-Headers': names.join(',') }),
  };
}

function checkAllowed(response: Response, method: string, names: readonly string[]): void {
  const methods = listOf(response, 'access-control-allow-methods');
  const allowed = listOf(response, 'access-control-allow-headers');
  // The wildcard does not cover Authorization.
  const isAllowed = (name: string) =>
    allowed.includes(name) || (allowed.includes('*') && name !== 'authorization');
  const isMethod = simpleMethods.includes(method) || methods.includes(method.toLowerCase());
  if (!response.ok || !isMethod || !names.every(isAllowed)) throw new TypeError('Failed to fetch');
}

function listOf(response: Response, header: string): string[] {
  return (response.headers.get(header) ?? '').split(',').map((part) => part.trim().toLowerCase());
}
