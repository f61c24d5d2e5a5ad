/**
 * `refused`: the SSH server does not know our key. `other_key`: it is not the server that it was.
 * `unreachable`: it does not answer. `not_forwarded`: it does not reach the host behind it, or may not.
 */
export type TunnelErrorCode = 'refused' | 'other_key' | 'unreachable' | 'not_forwarded';

/** `message` may be shown to whoever typed the host of the tunnel. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly code: TunnelErrorCode;

  constructor(code: TunnelErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
