// What the agent wants of its slot in one HAProxy, and the phase it reports. Pure, level-triggered: computed anew from
// the whole situation whenever any part of it changes.
import type { Phase } from '../shared/protocol.ts';
import type { ProbeState } from './probe-state.ts';
import type { Wanted } from './registration.ts';

export interface Situation {
  /** False while the startup probe has not succeeded. */
  started: boolean;
  /** Why the instance leaves for good; undefined while it stays. */
  leaving: string | undefined;
  /** Why the coordinator wants it out of traffic; undefined while it does not. */
  told: string | undefined;
}

export interface Wish {
  wanted: Wanted;
  reason: string;
}

/** `readiness` is what is known of the very address that is registered. */
export function decideWanted(situation: Situation, readiness: ProbeState): Wish {
  if (situation.leaving !== undefined) return { wanted: 'drain', reason: situation.leaving };
  if (!situation.started) return { wanted: 'out', reason: 'the app has not started yet' };
  if (!readiness.everOk) return { wanted: 'out', reason: 'the app has not answered yet' };
  if (situation.told !== undefined) return { wanted: 'standby', reason: situation.told };
  return readiness.verdict === 'ok'
    ? { wanted: 'ready', reason: 'the app answers' }
    : { wanted: 'unready', reason: 'the readiness probe failed' };
}

/** The phase of the whole instance; `readiness` has one entry for each HAProxy. */
export function decidePhase(situation: Situation, readiness: readonly ProbeState[]): Phase {
  if (situation.leaving !== undefined) return 'stopping';
  if (!situation.started || !readiness.some((state) => state.everOk)) return 'starting';
  if (situation.told !== undefined) return 'draining';
  return readiness.some((state) => state.verdict === 'ok') ? 'ready' : 'unready';
}
