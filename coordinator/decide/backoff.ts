// Creating instances failed: wait 1, 2, 4 … 300 s before the size is raised again. Reset by success; never delays a step down.

export type BackOff = { readonly failures: number; readonly untilT: number };

const longestMs = 300_000;

export function backOffMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(longestMs, 1000 * 2 ** (Math.min(failures, 20) - 1));
}

export function nextBackOff(
  before: BackOff | null,
  creation: 'failed' | 'succeeded' | undefined,
  t: number,
): BackOff | null {
  if (creation === undefined) return before;
  if (creation === 'succeeded') return null;
  const failures = (before?.failures ?? 0) + 1;
  return { failures, untilT: t + backOffMs(failures) };
}
