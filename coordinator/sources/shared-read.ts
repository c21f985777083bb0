// One read for all who ask: who comes while it is under way joins it, who comes while its value is fresh gets that.
//
// The read has a deadline of its own, that of the first who asked; nobody else's abort ends it. Whoever waits stops
// waiting at his own signal, even when the read itself listens to none, and a read that is past its deadline is joined
// by nobody any more.
import type { Clock } from '../../shared/clock.ts';
import { deadlineReason } from './reading-error.ts';

export interface Shared<T> {
  readonly value: T;
  readonly ageMs: number;
}

export interface ReadWhen {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly freshMs: number;
}

export class SharedRead<T> {
  readonly #read: (when: ReadWhen) => Promise<T>;
  readonly #clock: Clock;
  readonly #ended: AbortSignal | undefined;
  #running: Promise<Shared<T>> | undefined;
  #last: { readonly value: T; readonly at: number } | undefined;

  /** `read` is called with a signal of its own; `ended` ends what is under way. */
  constructor(clock: Clock, read: (when: ReadWhen) => Promise<T>, ended?: AbortSignal) {
    this.#clock = clock;
    this.#read = read;
    this.#ended = ended;
  }

  /** @throws what the read throws; the reason of `signal` */
  async get({ signal, deadlineMs, freshMs }: ReadWhen): Promise<Shared<T>> {
    signal.throwIfAborted();
    const last = this.#last;
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() - last.at;
    if (last !== undefined && ageMs <= freshMs) return { value: last.value, ageMs };
    this.#running ??= this.#start(deadlineMs, freshMs);
    return abandonAt(signal, this.#running);
  }

  #start(deadlineMs: number, freshMs: number): Promise<Shared<T>> {
    const controller = new AbortController();
    const { signal } = controller;
    const end = () => controller.abort(this.#ended?.reason);
    const timer = setTimeout(() => controller.abort(deadlineReason(deadlineMs)), deadlineMs);
    this.#ended?.addEventListener('abort', end, { once: true });
    const running = abandonAt(signal, this.#read({ signal, deadlineMs, freshMs }))
      .then((value) => {
        this.#last = { value, at: this.#clock.monotonic() };
        return { value, ageMs: 0 };
      })
      .finally(() => {
        clearTimeout(timer);
        this.#ended?.removeEventListener('abort', end);
        this.#running = undefined;
      });
    // Everybody who waited may have gone by the time it fails.
    running.catch(() => undefined);
    return running;
  }
}

/** Settles as `work` does, or rejects with the signal's reason when that comes first. */
export async function abandonAt<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    work.catch(() => undefined);
  }
}
