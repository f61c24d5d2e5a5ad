import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * `unknown_key`: no key of that id is at hand. `tampered`: it was changed, belongs to another row or
 * was sealed under another key of the same id. `malformed`: no sealed value at all. `bad_key`: a key of
 * ours is unfit.
 */
export type SealErrorCode = 'unknown_key' | 'tampered' | 'malformed' | 'bad_key';

/** Its text never holds a secret, a key or a sealed value. */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly code: SealErrorCode;

  constructor(code: SealErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface SealKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** `context` is the identity of the place of the secret (`table/id/field`): it opens nowhere else. */
export interface Sealer {
  seal(plain: string, context: string): string;
  /** @throws SealError */
  open(sealed: string, context: string): string;
  /** The same secret with its data key wrapped by the first key. @throws SealError */
  rewrap(sealed: string, context: string): string;
  /** Which key wraps it, so that rotation can tell what is left. @throws SealError */
  keyIdOf(sealed: string): string;
}

/**
 * Seals secrets with a data key of their own, which the first of `keys` wraps; any of `keys` opens. The
 * form is `v1.<key id>.<wrapped key>.<nonce>.<ciphertext+tag>`, where the wrapped key is nonce,
 * ciphertext and tag.
 */
export function createSealer(keys: readonly SealKey[]): Sealer {
  const [first] = keys;
  if (!first) throw new SealError('bad_key', 'sealing needs at least one key');
  const byId = new Map(keys.map((key) => [checkKey(key).id, key]));
  if (byId.size !== keys.length)
    throw new SealError('bad_key', 'two sealing keys have the same id');

  function wrap(dataKey: Buffer, context: string): string {
    const nonce = randomBytes(nonceBytes);
    const box = { key: first!.key, nonce, context: `key/${first!.id}/${context}` };
    return Buffer.concat([nonce, encrypt(dataKey, box)]).toString('base64url');
  }

  function unwrap(parts: Parts, context: string): Buffer {
    const wrapping = byId.get(parts.keyId);
    if (!wrapping) throw new SealError('unknown_key', `no sealing key has the id ${parts.keyId}`);
    const nonce = parts.wrappedKey.subarray(0, nonceBytes);
    const box = { key: wrapping.key, nonce, context: `key/${parts.keyId}/${context}` };
    return decrypt(parts.wrappedKey.subarray(nonceBytes), box);
  }

  return {
    seal(plain, context) {
      const dataKey = randomBytes(keyBytes);
      const nonce = randomBytes(nonceBytes);
      const body = encrypt(Buffer.from(plain, 'utf8'), {
        key: dataKey,
        nonce,
        context: `secret/${context}`,
      });
      return join(first.id, wrap(dataKey, context), nonce, body);
    },
    open(sealed, context) {
      const parts = split(sealed);
      const box = { key: unwrap(parts, context), nonce: parts.nonce, context: `secret/${context}` };
      return decrypt(parts.body, box).toString('utf8');
    },
    rewrap(sealed, context) {
      const parts = split(sealed);
      return join(first.id, wrap(unwrap(parts, context), context), parts.nonce, parts.body);
    },
    keyIdOf: (sealed) => split(sealed).keyId,
  };
}

interface Parts {
  readonly keyId: string;
  readonly wrappedKey: Buffer;
  readonly nonce: Buffer;
  readonly body: Buffer;
}

function join(keyId: string, wrappedKey: string, ...rest: Buffer[]): string {
  return ['v1', keyId, wrappedKey, ...rest.map((part) => part.toString('base64url'))].join('.');
}

function split(sealed: string): Parts {
  const [version, keyId, ...rest] = sealed.split('.');
  const [wrappedKey, nonce, body, excess] = rest.map(fromBase64Url);
  const fits =
    version === 'v1' &&
    keyId !== undefined &&
    isKeyId(keyId) &&
    wrappedKey?.length === nonceBytes + keyBytes + tagBytes &&
    nonce?.length === nonceBytes &&
    body !== undefined &&
    body.length >= tagBytes &&
    excess === undefined;
  if (!fits) throw new SealError('malformed', 'this is not a sealed value of version 1');
  return { keyId, wrappedKey, nonce, body };
}

/** Only the one canonical spelling: Node itself skips what it cannot read. */
function fromBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function isKeyId(id: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(id);
}

function checkKey(key: SealKey): SealKey {
  if (!isKeyId(key.id)) {
    throw new SealError('bad_key', 'the id of a sealing key is 1 to 64 of A-Z, a-z, 0-9, _ and -');
  }
  if (key.key.length !== keyBytes) {
    throw new SealError(
      'bad_key',
      `sealing key ${key.id} has ${key.key.length} bytes, not ${keyBytes}`,
    );
  }
  return key;
}

interface Box {
  readonly key: Buffer;
  readonly nonce: Buffer;
  readonly context: string;
}

function encrypt(plain: Buffer, box: Box): Buffer {
  const cipher = createCipheriv(algorithm, box.key, box.nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(box.context, 'utf8'));
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(sealed: Buffer, box: Box): Buffer {
  const decipher = createDecipheriv(algorithm, box.key, box.nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(box.context, 'utf8'));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(0, sealed.length - tagBytes)),
      decipher.final(),
    ]);
  } catch {
    throw new SealError('tampered', 'the sealed value was changed or belongs to another place');
  }
}
