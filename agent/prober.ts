// The loop of one probe: attempt, judge, sleep. A target that changes begins anew, since what was found out about one
// address says nothing about another.
import type { Clock } from '../shared/clock.ts';
import { Wakeup } from '../shared/wakeup.ts';
import type { ProbeSettings } from './config.ts';
import { type Attempt, attemptProbe, type ProbeTarget } from './probe-attempt.ts';
import { initialProbeState, nextProbeDelay, observeProbe, type ProbeState } from './probe-state.ts';

export class Prober {
  readonly #settings: ProbeSettings;
  readonly #target: () => ProbeTarget;
  readonly #clock: Clock;
  readonly #onResult: (prober: Prober, attempt: Attempt) => void;
  readonly #wakeup = new Wakeup();
  readonly #stopped = new AbortController();
  #state: ProbeState = initialProbeState;
  #probed: ProbeTarget | undefined;

  constructor(
    settings: ProbeSettings,
    target: () => ProbeTarget,
    clock: Clock,
    onResult: (prober: Prober, attempt: Attempt) => void,
  ) {
    this.#settings = settings;
    this.#target = target;
    this.#clock = clock;
    this.#onResult = onResult;
  }

  get state(): ProbeState {
    return this.#state;
  }

  /** The address and port that the state is about. */
  get probed(): ProbeTarget | undefined {
    return this.#probed;
  }

  /** Probes at once instead of at the end of the interval. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Ends the loop. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Probes until stopped, or until `ending` aborts. */
  async run(ending: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([ending, this.#stopped.signal]);
    let began = this.#clock.monotonic();
    while (!signal.aborted) {
      const target = this.#target();
      if (target.address !== this.#probed?.address || target.port !== this.#probed.port) {
        this.#probed = target;
        this.#state = initialProbeState;
        began = this.#clock.monotonic();
      }
      const attempt = await attemptProbe(target, this.#settings, signal);
      if (signal.aborted) return;
      const elapsed = this.#clock.monotonic() - began;
      this.#state = observeProbe(this.#state, attempt.ok, elapsed, this.#settings);
      this.#onResult(this, attempt);
      await this.#wakeup.sleep(this.#clock, nextProbeDelay(this.#state, elapsed, this.#settings), signal);
    }
  }
}
