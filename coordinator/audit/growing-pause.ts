const firstPauseMs = 100;
const longestPauseMs = 5000;

/** A pause that grows from one failure to the next. */
export class GrowingPause {
  until = 0;
  #ms = firstPauseMs;

  start(now: number): void {
    this.until = now + this.#ms;
    this.#ms = Math.min(this.#ms * 2, longestPauseMs);
  }

  end(): void {
    this.until = 0;
    this.#ms = firstPauseMs;
  }
}
