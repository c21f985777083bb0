// A service in virtual time: a policy as people write it, its state, and the size that follows each decision.
import assert from 'node:assert/strict';
import { decide } from '../../coordinator/decide/decide.ts';
import type { InstanceObservation, Observations, Reading } from '../../coordinator/decide/observation.ts';
import type { Policy } from '../../coordinator/decide/policy.ts';
import type { Decision } from '../../coordinator/decide/record.ts';
import { emptyState, type PolicyState } from '../../coordinator/decide/state.ts';
import { admitPolicy, formatAdmissionError } from '../../coordinator/policy/admit.ts';

/** A Wednesday at noon, UTC. */
export const noon = Date.UTC(2026, 5, 17, 12);

export function policyOf(written: Readonly<Record<string, unknown>>): Policy {
  const { admitted, errors } = admitPolicy({ name: 'web', maxReplicas: 10, ...written }, 'test');
  assert.deepEqual(errors.map(formatAdmissionError), []);
  const [first] = admitted;
  assert.ok(first !== undefined);
  return first.policy;
}

/** A metric with a target for each instance: `load(100)` wants 1 instance for every 100. */
export function load(
  averageValue: number,
  extra: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    name: 'load',
    source: { type: 'pushed', metric: 'load' },
    target: { type: 'AverageValue', averageValue },
    ...extra,
  };
}

/** Behavior without windows, rates and tests: the proposal itself. */
export const atOnce = {
  scaleUp: { policies: [] },
  scaleDown: { stabilizationWindowSeconds: 0, policies: [], safeAfter: false },
  growthCap: { factor: 1000, floor: 1000 },
};

export function total(value: number, extra: Partial<Extract<Reading, { shape: 'total' }>> = {}): Reading {
  return { ok: true, shape: 'total', value, ageMs: 0, ...extra };
}

export function perInstance(
  values: readonly number[],
  extra: { request?: number; ageMs?: number; windowMs?: number } = {},
): Reading {
  const samples = values.map((value, index) => [`i${index}`, { value, ageMs: 0, windowMs: 0, ...extra }]);
  return { ok: true, shape: 'perInstance', samples: Object.fromEntries(samples) };
}

export const failing: Reading = { ok: false, code: 'timeout', message: 'no answer within 1s' };

export function instances(count: number, extra: Partial<InstanceObservation> = {}): InstanceObservation[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `i${index}`,
    phase: 'running',
    ready: true,
    startAgeMs: 3_600_000,
    readyChangedAgeMs: 3_590_000,
    ...extra,
  }));
}

export type Given = Omit<Partial<Observations>, 'target'> & {
  readonly target?: Observations['target'];
  /** Seconds since the last evaluation (15). */
  readonly after?: number;
};

export class Scenario {
  readonly policy: Policy;
  state: PolicyState;
  n: number;
  monoMs = 0;
  wallMs = noon;
  run = 'first';

  constructor(policy: Policy, n: number, state: PolicyState = emptyState) {
    this.policy = policy;
    this.n = n;
    this.state = state;
  }

  /** One evaluation, with as many ready instances as are wanted unless told otherwise. */
  tick({ after = 15, ...given }: Given = {}): Decision {
    this.monoMs += after * 1000;
    this.wallMs += after * 1000;
    const observations: Observations = {
      target: { ok: true, wanted: this.n },
      instances: instances(this.n),
      readings: {},
      ...given,
    };
    const now = { wallMs: this.wallMs, monoMs: this.monoMs, run: this.run };
    const { decision, state } = decide(this.policy, this.state, observations, now);
    this.state = state;
    if (observations.target.ok) this.n = decision.to;
    return decision;
  }

  /** The same with one total for the metric `load`. */
  load(value: number, given: Given = {}): Decision {
    return this.tick({ readings: { load: total(value) }, ...given });
  }

  /** Another process goes on with the state that was stored. */
  restart(downSeconds = 0): void {
    this.run = `${this.run}+`;
    this.wallMs += downSeconds * 1000;
    this.monoMs = 0;
  }
}

export function scenario(written: Readonly<Record<string, unknown>>, n: number): Scenario {
  return new Scenario(policyOf(written), n);
}
