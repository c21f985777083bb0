// Whether the app's port has been gone for long. The readiness probe does not tell: an app whose database is down answers
// 503 for as long as that lasts, and is there.
import type { Clock } from '../shared/clock.ts';
import { attemptTcp, type ProbeTarget } from './probe-attempt.ts';

/** True once no attempt has connected for `goneMs`, however often it was looked; false when `signal` has aborted. */
export async function untilPortIsGone(
  target: () => ProbeTarget,
  settings: { goneMs: number; intervalMs: number; timeoutMs: number },
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  let since: number | undefined;
  while (!signal.aborted) {
    const began = clock.monotonic();
    const { ok } = await attemptTcp(target(), settings.timeoutMs, signal);
    since = ok ? undefined : (since ?? began);
    const left = since === undefined ? settings.intervalMs : since + settings.goneMs - clock.monotonic();
    if (left <= 0) return !signal.aborted;
    await clock.sleep(Math.min(left, settings.intervalMs), signal);
  }
  return false;
}
