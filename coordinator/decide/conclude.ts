// From the plan to the outcome: guards, dry run, the reason, the victims, and the state to remember.
import { nextBackOff } from './backoff.ts';
import { applyGuards } from './guards.ts';
import type { Plan } from './plan.ts';
import type { Policy } from './policy.ts';
import type { ReasonCode, Turn } from './reasons.ts';
import type { Decided, DecisionRecord, Outcome } from './record.ts';
import { directionOf } from './saturate.ts';
import { storeScaleEvent } from './scale-events.ts';
import type { Scene } from './scene.ts';
import type { PolicyState } from './state.ts';
import { chooseVictims } from './victims.ts';

/** Turns that bring about a change; all others hold one back. */
const causes: ReadonlySet<ReasonCode> = new Set(['Panic', 'Woken', 'ToIdle', 'KeptActive']);

export function conclude(scene: Scene, plan: Plan): Decided {
  const { inputs, n, t, observed, ready, pause } = scene;
  const { policy, state, observations } = inputs;
  const backOff = nextBackOff(state.backOff, observations.creation, t);
  const guarded = plan.guarded
    ? applyGuards({ policy, observations, n, count: plan.count, observed, ready, backOff, pause, t })
    : { count: plan.count, turns: [] };
  const turns = [...plan.turns, ...guarded.turns];
  const outcome = outcomeOf(scene, plan, guarded.count, turns);
  const record: DecisionRecord = {
    version: 1,
    policy: policy.name,
    service: policy.service,
    inputs,
    wallMs: inputs.now.wallMs,
    t,
    n,
    observed,
    ready,
    outOfBand: scene.outOfBand,
    bounds: scene.bounds,
    metrics: plan.metrics,
    combined: plan.combined,
    panic: plan.panic,
    activation: plan.activation,
    smoothed: plan.smoothed,
    turns,
    outcome,
  };
  return { decision: { ...outcome, record }, state: remember(scene, plan, outcome, backOff) };
}

function outcomeOf(scene: Scene, plan: Plan, count: number, turns: readonly Turn[]): Outcome {
  const { n, dryRun, observed, inputs } = scene;
  const limits = turns.map((turn) => turn.code).filter((code) => !causes.has(code));
  const reason = reasonOf(plan, count, n, turns);
  const changes = count !== n;
  const to = dryRun ? n : count;
  const action = directionOf(n, to);
  const victims =
    action === 'down'
      ? chooseVictims(inputs.observations.instances, Math.max(0, observed - to), inputs.policy.victims)
      : [];
  return {
    action,
    from: n,
    to,
    wanted: plan.wanted,
    reason: dryRun && changes ? 'DryRun' : reason,
    limits,
    detail: plan.detail,
    wouldBe: dryRun && changes ? count : null,
    victims,
  };
}

function reasonOf(plan: Plan, count: number, n: number, turns: readonly Turn[]): ReasonCode {
  if (count === n) return turns.at(-1)?.code ?? plan.code;
  const cause = turns.findLast(
    (turn) => causes.has(turn.code) && directionOf(turn.from, turn.to) === directionOf(n, count),
  );
  return cause?.code ?? plan.code;
}

function remember(scene: Scene, plan: Plan, outcome: Outcome, backOff: PolicyState['backOff']): PolicyState {
  const { inputs, timeline, t, n, idleSize, isIdle, history } = scene;
  const { policy, state, observations } = inputs;
  if (!observations.target.ok) return { ...state, timeline, backOff };
  const { action, to } = outcome;
  const change = Math.abs(to - n);
  const own = action !== 'none';
  return {
    ...state,
    recommendations: history,
    ...plan.remember,
    timeline,
    backOff,
    wanted: to,
    ups: action === 'up' ? storeScaleEvent(state.ups, change, policy.scaleUp, t) : state.ups,
    downs: action === 'down' ? storeScaleEvent(state.downs, change, policy.scaleDown, t) : state.downs,
    lastUpAt: action === 'up' ? t : state.lastUpAt,
    lastDownAt: action === 'down' ? t : state.lastDownAt,
    idle: to === idleSize && (own ? isOwnIdea(plan) && canWake(policy) : isIdle),
  };
}

/** A size set by hand is not the policy's to leave. */
function isOwnIdea({ code }: Plan): boolean {
  return code !== 'Override' && code !== 'PausedAt';
}

function canWake({ metrics, schedules }: Policy): boolean {
  return schedules.length > 0 || metrics.some(({ activeAbove }) => activeAbove !== null);
}
