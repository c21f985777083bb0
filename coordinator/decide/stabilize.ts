// The two-sided envelope. `low` is the smallest recommendation within the up window, `high` the largest within the down window, the
// current one included; the size moves only as far as needed into [low, high]. What is remembered is the raw recommendation. An entry
// counts while it is strictly younger than the window; one older than both windows gives its place to the new one.
import { clamp } from './saturate.ts';
import { staircase } from './window-max.ts';

export type Recommendation = { readonly replicas: number; readonly at: number };

export type Windows = { readonly upMs: number; readonly downMs: number };

export type Stabilized = {
  readonly count: number;
  readonly low: number;
  readonly high: number;
  readonly history: readonly Recommendation[];
};

/** `recorded` is what goes into the history, where that is not `desired`. */
export function stabilize(
  history: readonly Recommendation[],
  n: number,
  desired: number,
  windows: Windows,
  t: number,
  recorded: number = desired,
): Stabilized {
  let low = desired;
  let high = desired;
  let reusable = -1;
  history.forEach(({ replicas, at }, index) => {
    const age = t - at;
    if (age < windows.upMs) low = Math.min(low, replicas);
    if (age < windows.downMs) high = Math.max(high, replicas);
    if (age > windows.upMs && age > windows.downMs) reusable = index;
  });
  const entry = { replicas: recorded, at: t };
  return {
    count: clamp(n, low, high),
    low,
    high,
    history: reusable === -1 ? [...history, entry] : history.with(reusable, entry),
  };
}

/**
 * The history without what can never matter again: entries too old for both windows, and entries that a later one dominates. What
 * `stabilize` answers stays the same, and at four evaluations a second a few entries are kept instead of thousands.
 */
export function compactHistory(
  history: readonly Recommendation[],
  windows: Windows,
  t: number,
): Recommendation[] {
  const ordered = history.toSorted((a, b) => a.at - b.at);
  const highs = staircase(
    ordered.map(({ replicas, at }) => ({ index: at, value: replicas })),
    t,
    windows.downMs,
  );
  const lows = staircase(
    ordered.map(({ replicas, at }) => ({ index: at, value: -replicas })),
    t,
    windows.upMs,
  );
  const lowest = lows.map(({ index, value }) => ({ at: index, replicas: -value }));
  const highest = highs.map(({ index, value }) => ({ at: index, replicas: value }));
  return lowest.length === 0 ? highest : [...highest, ...lowest].toSorted((a, b) => a.at - b.at);
}
