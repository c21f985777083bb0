// The largest of the values within a window, without keeping them all: a falling staircase. A value that is not above every newer one
// can never be the largest again, so it is dropped; what is left falls from the oldest to the newest, and the first is the largest.

export type Peak = { readonly index: number; readonly value: number };

/** What still matters of `peaks` (oldest first) at `index`; entries `width` or more behind are gone. Linear. */
export function staircase(peaks: readonly Peak[], index: number, width: number): Peak[] {
  const kept: Peak[] = [];
  let highest = Number.NEGATIVE_INFINITY;
  for (const peak of peaks.toReversed()) {
    if (index - peak.index >= width) break;
    if (peak.value <= highest) continue;
    highest = peak.value;
    kept.push(peak);
  }
  return kept.reverse();
}

/** The staircase with `value` added at `index`; indexes never go back. */
export function addToWindow(peaks: readonly Peak[], index: number, value: number, width: number): Peak[] {
  return staircase([...peaks, { index, value }], index, width);
}

export function largestIn(peaks: readonly Peak[]): number | null {
  return peaks[0]?.value ?? null;
}
