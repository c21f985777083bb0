// Waiting for HAProxy's own check of a slot (BERTH_GATE=haproxy): often at first, since most checks pass soon, then after
// each tenth of the time waited so far, so that a check that never passes is not asked for 20 times a second for ever.
// Said once when it takes long. Pure but for what it remembers.

const pauseMs = { least: 50, most: 1000 };
const shareOfWait = 10;
const saidAfterMs = 5000;

export interface GateStep {
  pauseMs: number;
  /** How long it has waited; only at the one step that is to say so. */
  longMs: number | undefined;
}

export class GateWait {
  #since: number | undefined;
  #said = false;

  /** It waits for nothing any more, or for something else. */
  reset(): void {
    this.#since = undefined;
    this.#said = false;
  }

  /** Still closed at `now`, in monotonic milliseconds. */
  wait(now: number): GateStep {
    this.#since ??= now;
    const waited = now - this.#since;
    const says = waited >= saidAfterMs && !this.#said;
    if (says) this.#said = true;
    const pause = Math.min(Math.max(waited / shareOfWait, pauseMs.least), pauseMs.most);
    return { pauseMs: pause, longMs: says ? waited : undefined };
  }
}
