// So many at a time; who waits gives up at his own signal, and nobody is passed over.
export class Pool {
  readonly #size: number;
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs `work` when there is room. @throws what it throws; the reason of `signal` while it waits */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#active < this.#size) this.#active += 1;
    else await this.#room(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#active -= 1;
      else next();
    }
  }

  /** Resolves with the place of one who left. */
  #room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal.reason);
      };
      this.#waiting.push(enter);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }
}
