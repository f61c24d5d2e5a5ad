import { createHash, createPublicKey, generateKeyPair, type JsonWebKey } from 'node:crypto';
import { promisify } from 'node:util';

/** An RSA pair. Both public texts are the same key. */
export interface KeyPair {
  /** One line as in `authorized_keys`. */
  readonly publicKey: string;
  /** The same as PEM, which warehouses ask for. */
  readonly publicKeyPem: string;
  /** PKCS#8 as PEM. */
  readonly privateKey: string;
}

const bits = 3072;
const generate = promisify(generateKeyPair);

export async function makeKeyPair(): Promise<KeyPair> {
  const { publicKey, privateKey } = await generate('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { publicKey: toOpenSsh(publicKey), publicKeyPem: publicKey, privateKey };
}

/** The one line of a public key in PEM. */
export function toOpenSsh(pem: string): string {
  return `ssh-rsa ${wireOf(createPublicKey(pem).export({ format: 'jwk' })).toString('base64')}`;
}

/** What `ssh-keygen -l` prints of a public key in either form; undefined where the text is no RSA key. */
export function fingerprintOf(publicKey: string): string | undefined {
  const wire = readPublicKey(publicKey.trim());
  if (wire === undefined) return undefined;
  return `SHA256:${createHash('sha256').update(wire).digest('base64').replace(/=+$/, '')}`;
}

function readPublicKey(text: string): Buffer | undefined {
  const line = /^ssh-rsa +([A-Za-z0-9+/]+={0,2})(?: .*)?$/.exec(text)?.[1];
  if (line !== undefined) return Buffer.from(line, 'base64');
  if (!/^-----BEGIN (RSA )?PUBLIC KEY-----/.test(text)) return undefined;
  try {
    const key = createPublicKey(text);
    return key.asymmetricKeyType === 'rsa' ? wireOf(key.export({ format: 'jwk' })) : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 4253, 6.6: the name of the kind, the exponent and the modulus, each behind its length. */
function wireOf({ e = '', n = '' }: JsonWebKey): Buffer {
  const parts = [Buffer.from('ssh-rsa'), integerOf(e), integerOf(n)];
  return Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]));
}

/** A leading one would make the number negative. */
function integerOf(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url');
  return (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.alloc(1), bytes]);
}

function lengthOf({ length }: Buffer): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

export interface KeyPool {
  take(): Promise<KeyPair>;
}

/** Makes pairs ahead, one at a time and so many at most, because each takes a good part of a second. */
export function createKeyPool(readyMax: number): KeyPool {
  const ready: KeyPair[] = [];
  let isFilling = false;
  const fill = async (): Promise<void> => {
    if (isFilling) return;
    isFilling = true;
    try {
      while (ready.length < readyMax) ready.push(await makeKeyPair());
    } finally {
      isFilling = false;
    }
  };
  // Whoever finds nothing ready makes a pair itself, and is told why where that fails.
  const fillBehind = (): void => void fill().catch(() => undefined);
  fillBehind();
  return {
    take: async () => {
      const pair = ready.shift();
      fillBehind();
      return pair ?? (await makeKeyPair());
    },
  };
}
