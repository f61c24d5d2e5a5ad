import type { Access } from './connect.ts';
import { Session } from './session.ts';

/**
 * Logs in at the first use, so that a check can say what the login failed of; anew where the last session
 * was stopped.
 */
export class LazySession implements AsyncDisposable {
  private readonly access: Access;
  private opened: Promise<Session> | undefined;

  constructor(access: Access) {
    this.access = access;
  }

  async get(): Promise<Session> {
    const known = await this.opened?.catch(() => undefined);
    if (known !== undefined && known.isUsable) return known;
    await known?.[Symbol.asyncDispose]();
    this.opened = Session.open(this.access);
    return this.opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = await this.opened?.catch(() => undefined);
    await session?.[Symbol.asyncDispose]();
  }
}
