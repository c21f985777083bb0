import { until } from '../bench/wait.ts';

/** `until` with the text first, for the many short waits of these tests. */
export function eventually<T>(what: string, condition: () => T | Promise<T>, deadlineMs = 15_000) {
  return until(condition, { what, deadlineMs, everyMs: 10 });
}
