// One evaluation of one policy: a function of its arguments alone. Steps and their order are those of AUTOSCALING.md, 2.
//
//   gate ─► settled without metrics? (by hand, paused at N, zero by hand, outside the bounds) ──────┐
//    │        │                                                                                    │
//    │        └─► metrics ─► combine ─► panic ─► activation ─► stabilise, cope, cool, rates, bounds ─┤
//    │                                                                                             ▼
//    └─► hold ───────────────────────────────────────────────────────────► guards ─► outcome, state, record
//
// Time is linear in metrics x instances. The record refers to the inputs; it does not copy them.
import { conclude } from './conclude.ts';
import { closedGate } from './gate.ts';
import type { Observations } from './observation.ts';
import { settled } from './plan.ts';
import { planByMetrics } from './plan-by-metrics.ts';
import type { Policy } from './policy.ts';
import type { Decided, DecisionRecord } from './record.ts';
import { setScene } from './scene.ts';
import { settleWithoutMetrics } from './settle-without-metrics.ts';
import type { PolicyState } from './state.ts';
import type { Now } from './timeline.ts';

export function decide(policy: Policy, state: PolicyState, observations: Observations, now: Now): Decided {
  const scene = setScene({ policy, state, observations, now });
  const closed = closedGate(policy, observations);
  if (closed !== null)
    return conclude(scene, settled(scene.n, closed.code, { detail: closed.detail, guarded: false }));
  return conclude(scene, settleWithoutMetrics(scene) ?? planByMetrics(scene));
}

/** Decides again from a record; `policy` replaces the one it was made with (what would another policy have done?). */
export function replay(record: DecisionRecord, policy: Policy = record.inputs.policy): Decided {
  const { state, observations, now } = record.inputs;
  return decide(policy, state, observations, now);
}
