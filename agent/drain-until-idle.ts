// The drain of one slot: looks until HAProxy counts no session, no queued request and no connection on it.
import type { Clock } from '../shared/clock.ts';
import { describeError } from '../shared/errors.ts';

export interface DrainResult {
  outcome: 'idle' | 'deadline' | 'no-slot' | 'unreachable';
  ms: number;
  /** Sessions that were left. */
  sessions: number;
}

/** One look: `none`, no slot is held; `again`, it was just put into drain, or a claim is under way; else what is left on it. */
export type DrainLook = 'none' | 'again' | { sessions: number };

export interface DrainHooks {
  clock: Clock;
  /** @throws when HAProxy cannot be asked */
  look(signal: AbortSignal): Promise<DrainLook>;
  /** It could not be asked. Returns whether it is worth another look. */
  onUnseen(error: string): boolean;
}

const pollMs = 20;

/** Until idle, `deadlineMs` is over, or `signal` aborts. Counts twice: a request that was just given to the slot may not be counted yet. */
export async function drainUntilIdle(
  { clock, look, onUnseen }: DrainHooks,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<DrainResult> {
  const started = clock.monotonic();
  let outcome: DrainResult['outcome'] = 'deadline';
  let sessions = 0;
  const result = (how = outcome, left = 0): DrainResult => ({
    outcome: how,
    ms: clock.monotonic() - started,
    sessions: left,
  });
  let idle = 0;
  while (clock.monotonic() - started < deadlineMs && !signal.aborted) {
    try {
      const seen = await look(signal);
      if (seen === 'none') return result('no-slot');
      outcome = 'deadline';
      if (seen !== 'again') {
        sessions = seen.sessions;
        idle = seen.sessions === 0 ? idle + 1 : 0;
        if (idle >= 2) return result('idle');
      }
    } catch (error) {
      if (signal.aborted) break;
      outcome = 'unreachable';
      if (!onUnseen(describeError(error))) return result();
    }
    await clock.sleep(pollMs, signal);
  }
  return result(outcome, sessions);
}
