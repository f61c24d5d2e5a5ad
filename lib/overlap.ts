interface OverlapOptions<T> {
  readonly reading?: AbortController;
  readonly fillsMemory?: (item: T) => boolean;
}

/**
 * Joins a source of items to a sink: while one item is written the next is read, and never more than these
 * two exist. Items are written one at a time and in order.
 *
 * - `write` answers `'stop'` to end after its item. Whatever was read ahead is dropped, its failure too.
 * - A failing write stops the reading; its error is thrown once the source has been closed.
 * - A failing read is thrown after the write in flight has ended; that write's own error goes before it.
 *
 * Closing means the iterator's `return`, awaited. That of an async generator waits for the read in progress:
 * give `reading`, the controller whose signal the source listens to, and it is aborted first. An item that
 * `fillsMemory` is written before the next is read.
 */
export async function overlap<T>(
  items: AsyncIterable<T>,
  write: (item: T) => Promise<void | 'stop'>,
  { reading, fillsMemory }: OverlapOptions<T> = {},
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let current = await iterator.next();
  while (!current.done) {
    const writing = startWrite(write, current.value);
    const isAlone = fillsMemory?.(current.value) ?? false;
    // Held on to, the item would still be there while the next one is read.
    current = nothing;
    if (isAlone) await writing.catch(() => undefined);
    const ahead = iterator.next();
    // Its failure is met below, after the write; until then it must not count as unhandled.
    ahead.catch(() => undefined);
    const verdict = await writing.catch(async (error: unknown) => {
      // As in `for await`: when the body has failed, a failure to close does not replace its error.
      await close(iterator, ahead, reading).catch(() => undefined);
      throw error;
    });
    if (verdict === 'stop') return close(iterator, ahead, reading);
    current = await ahead;
  }
}

const nothing: IteratorResult<never, undefined> = { done: true, value: undefined };

/** A sink that throws before its first await counts as a failed write like any other. */
async function startWrite<T>(
  write: (item: T) => Promise<void | 'stop'>,
  item: T,
): Promise<void | 'stop'> {
  return write(item);
}

async function close<T>(
  iterator: AsyncIterator<T>,
  ahead: Promise<unknown>,
  reading: AbortController | undefined,
): Promise<void> {
  reading?.abort();
  await ahead.catch(() => undefined);
  await iterator.return?.();
}
