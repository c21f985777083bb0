// One request with an end: when `ms` have passed, or the caller's signal aborts, whichever is first.

/**
 * Runs `call` with a signal that aborts at either end, and settles then even when `call` does not heed it.
 * @throws what `call` throws; `late()` when the time is up; the reason of `signal`
 */
export async function callWithDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  late: () => Error,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const ended = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    ended.reject(reason);
    ending.abort(reason);
  };
  const onAbort = () => end(signal?.reason);
  const timer = setTimeout(() => end(late()), ms);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([ended.promise, call(ending.signal)]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
