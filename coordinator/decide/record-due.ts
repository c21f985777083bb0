// Which evaluations are worth a row: those that changed something, those whose reason is new, and one every five minutes.
import type { Outcome } from './record.ts';

const heartbeatMs = 300_000;

/** The last row that was written for a policy. */
export type LastRecord = { readonly reason: Outcome['reason']; readonly to: number; readonly t: number };

export function isRecordDue(last: LastRecord | null, outcome: Outcome, t: number): boolean {
  if (last === null || outcome.action !== 'none') return true;
  return outcome.reason !== last.reason || outcome.to !== last.to || t - last.t >= heartbeatMs;
}
