// What a row of probe results means. Pure; prober.ts does the probing.
//
//                successes in a row                    failures in a row
//   unknown ───────────────────────────► ok ◄──────────────────────────────► failed
//      └───── no success within failures × interval ─────────────────────────►┘
//
// Until the first `ok`, probes come fast: an app that has just come up is to be found at once, not at the end of an
// interval. The pause is a twentieth of the time waited so far, from 50 ms up to the interval, so that finding out adds
// at most a twentieth to any boot, and a boot that takes minutes is not flooded. Fast probes would use up the allowed
// failures in a moment; therefore the first verdict goes by time: `failures` × `interval`, as it would at a steady beat.
// The successes that the first `ok` needs follow one another at once: nothing flaps yet that would have to be damped.

export interface ProbeRhythm {
  interval: number;
  failures: number;
  successes: number;
}

export type Verdict = 'unknown' | 'ok' | 'failed';

export interface ProbeState {
  verdict: Verdict;
  /** True once the verdict has been `ok`. */
  everOk: boolean;
  /** Results in a row that are alike; `lastOk` says which. */
  inRow: number;
  lastOk: boolean | undefined;
}

export const initialProbeState: ProbeState = {
  verdict: 'unknown',
  everOk: false,
  inRow: 0,
  lastOk: undefined,
};

const fastestMs = 50;
const shareOfWait = 20;

/** The state after one more result; `elapsedMs` is the time since probing began. */
export function observeProbe(
  state: ProbeState,
  ok: boolean,
  elapsedMs: number,
  rhythm: ProbeRhythm,
): ProbeState {
  const inRow = state.lastOk === ok ? state.inRow + 1 : 1;
  return { ...judge(state, ok, inRow, elapsedMs, rhythm), inRow, lastOk: ok };
}

function judge(
  state: ProbeState,
  ok: boolean,
  inRow: number,
  elapsedMs: number,
  rhythm: ProbeRhythm,
): Pick<ProbeState, 'verdict' | 'everOk'> {
  if (ok && inRow >= rhythm.successes) return { verdict: 'ok', everOk: true };
  if (!ok && state.everOk && inRow >= rhythm.failures) return { verdict: 'failed', everOk: true };
  const late = elapsedMs >= rhythm.failures * rhythm.interval;
  if (!ok && !state.everOk && late) return { verdict: 'failed', everOk: false };
  return { verdict: state.verdict, everOk: state.everOk };
}

/** Milliseconds until the next probe. */
export function nextProbeDelay(state: ProbeState, elapsedMs: number, rhythm: ProbeRhythm): number {
  if (state.everOk) return rhythm.interval;
  if (state.lastOk === true) return 0;
  return Math.min(Math.max(elapsedMs / shareOfWait, fastestMs), rhythm.interval);
}
