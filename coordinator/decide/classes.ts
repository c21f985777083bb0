// Which instances a metric may count. Order matters, comparisons are strict as in the HPA:
//
//   leaving or gone (or kept warm)                                  ignored
//   created or starting                                             unready
//   no sample, or an older one than maxAge                          missing
//   for load that spikes at start only (`warmup`):
//     never started, or nothing tells whether it is ready           unready
//     started less than `warmup` ago: not ready, or the sample's
//       window began before it became ready                         unready
//     later: not ready, and it never was (it became "not ready"
//       within `readinessDelay` of its start)                       unready
//   everything else                                                 ready
//
// So an instance that was ready once and is failing now still counts with its CPU.
import type { InstanceObservation, InstancePhase, InstanceSample } from './observation.ts';

export type InstanceClass = 'ready' | 'unready' | 'missing' | 'ignored';

export type ClassRules = {
  readonly warmup: boolean;
  readonly warmupMs: number;
  readonly readinessDelayMs: number;
  readonly maxAgeMs: number | null;
};

const phases: Readonly<Record<InstancePhase, 'ignored' | 'pending' | 'running'>> = {
  created: 'pending',
  starting: 'pending',
  running: 'running',
  draining: 'ignored',
  parked: 'ignored',
  removing: 'ignored',
  exited: 'ignored',
  dead: 'ignored',
  failed: 'ignored',
};

/** True for an instance that counts toward the size of its service. */
export function isCounted(instance: InstanceObservation): boolean {
  return phases[instance.phase] !== 'ignored';
}

/** True for an instance that serves now. */
export function isServing(instance: InstanceObservation): boolean {
  return phases[instance.phase] === 'running' && instance.ready === true;
}

export function classify(
  instance: InstanceObservation,
  sample: InstanceSample | undefined,
  rules: ClassRules,
): InstanceClass {
  const phase = phases[instance.phase];
  if (phase === 'ignored') return 'ignored';
  if (phase === 'pending') return 'unready';
  if (sample === undefined || !Number.isFinite(sample.value)) return 'missing';
  if (rules.maxAgeMs !== null && sample.ageMs > rules.maxAgeMs) return 'missing';
  return rules.warmup && isWarmingUp(instance, sample, rules) ? 'unready' : 'ready';
}

function isWarmingUp(instance: InstanceObservation, sample: InstanceSample, rules: ClassRules): boolean {
  const { ready, startAgeMs } = instance;
  if (ready === null || startAgeMs === null) return true;
  const changedAgeMs = instance.readyChangedAgeMs ?? startAgeMs;
  if (startAgeMs < rules.warmupMs) return !ready || sample.ageMs + sample.windowMs > changedAgeMs;
  return !ready && changedAgeMs > startAgeMs - rules.readinessDelayMs;
}
