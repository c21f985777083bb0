// The largest change that one metric may propose at once.
import { clamp, saturate } from '../saturate.ts';

export function limitStep(n: number, count: number, maxUp: number | null, maxDown: number | null): number {
  const low = maxDown === null ? 0 : saturate(n - maxDown);
  const high = maxUp === null ? Number.POSITIVE_INFINITY : n + maxUp;
  return saturate(clamp(count, low, high));
}
