// Rates from counters that only grow, until a process restarts and they begin again at zero.
//
//   samples of one process, oldest first:   base ── … ── newest       rate = (newest - base) / time between them
//   the base is the newest sample that is at least one window old, else the oldest one
//   another process, or a counter that went back: the samples begin anew with this one, and until the next sample the
//   last rate is kept (AUTOSCALING.md, "What it must survive", 8); a second reset in a row leaves nothing to go by
export interface CounterSample {
  /** Monotonic, in milliseconds. */
  readonly at: number;
  /** Tells one life of the counters from the next. */
  readonly process: string;
  readonly counters: Readonly<Record<string, number>>;
}

/** How much the counters grew, and in how many milliseconds. */
export interface Growth {
  readonly counters: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

export interface CounterWindow {
  readonly samples: readonly CounterSample[];
  /** What the samples before a reset had grown, while there is one sample since. */
  readonly kept: Growth | undefined;
}

export const emptyWindow: CounterWindow = { samples: [], kept: undefined };

/** The window with one more sample. A sample that is not newer than the last one is left out. */
export function addSample(window: CounterWindow, sample: CounterSample, windowMs: number): CounterWindow {
  const last = window.samples.at(-1);
  if (last === undefined) return { samples: [sample], kept: undefined };
  if (isReset(last, sample)) return { samples: [sample], kept: growthOfSamples(window.samples) };
  if (sample.at <= last.at) return window;
  const samples = [...window.samples, sample];
  const base = samples.findLastIndex(({ at }) => sample.at - at >= windowMs);
  return { samples: samples.slice(Math.max(base, 0)), kept: undefined };
}

/** The growth over the window; undefined until it is known. */
export function growthOf(window: CounterWindow): Growth | undefined {
  return growthOfSamples(window.samples) ?? window.kept;
}

function isReset(last: CounterSample, sample: CounterSample): boolean {
  if (last.process !== sample.process) return true;
  return Object.entries(sample.counters).some(([name, value]) => value < (last.counters[name] ?? 0));
}

function growthOfSamples(samples: readonly CounterSample[]): Growth | undefined {
  const [base] = samples;
  const newest = samples.at(-1);
  if (base === undefined || newest === undefined || newest.at <= base.at) return undefined;
  const counters = Object.fromEntries(
    Object.entries(newest.counters).map(([name, value]) => [name, value - (base.counters[name] ?? 0)]),
  );
  return { counters, elapsedMs: newest.at - base.at };
}
