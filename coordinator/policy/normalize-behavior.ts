// Behavior with the defaults of Kubernetes: up by 4 instances or 100 % per 15 s, whichever is more; down by everything per 15 s, but
// only to the largest recommendation of the last 300 s.
import type { DirectionRules, GrowthCap, Policy, RatePolicy } from '../decide/policy.ts';
import type { Tolerance } from '../decide/tolerance.ts';
import type { PolicyConfig } from './policy-schema.ts';

type Behavior = NonNullable<PolicyConfig['behavior']>;
type Direction = NonNullable<Behavior['scaleUp']> | NonNullable<Behavior['scaleDown']>;

export const defaultTolerance: Tolerance = { up: 0.1, down: 0.1 };
const defaultGrowthCap: GrowthCap = { factor: 2, floor: 4 };
const defaultSafeAfter = 0.9;

const defaultUp: DirectionRules = {
  stabilizationMs: 0,
  select: 'Max',
  policies: [
    { type: 'Count', value: 4, periodMs: 15_000 },
    { type: 'Percent', value: 100, periodMs: 15_000 },
  ],
  cooldownMs: 0,
};

const defaultDown: DirectionRules = {
  stabilizationMs: 300_000,
  select: 'Max',
  policies: [{ type: 'Percent', value: 100, periodMs: 15_000 }],
  cooldownMs: 0,
};

export function normalizeBehavior(
  config: PolicyConfig,
): Pick<Policy, 'tolerance' | 'scaleUp' | 'scaleDown' | 'growthCap' | 'safeAfter'> {
  const { behavior = {}, tolerance = defaultTolerance } = config;
  const { scaleUp, scaleDown, growthCap = defaultGrowthCap } = behavior;
  const safeAfter = scaleDown?.safeAfter ?? defaultSafeAfter;
  return {
    tolerance: { up: scaleUp?.tolerance ?? tolerance.up, down: scaleDown?.tolerance ?? tolerance.down },
    scaleUp: rulesOf(scaleUp, defaultUp),
    scaleDown: rulesOf(scaleDown, defaultDown),
    growthCap,
    safeAfter: safeAfter === false ? null : safeAfter,
  };
}

function rulesOf(given: Direction | undefined, standard: DirectionRules): DirectionRules {
  if (given === undefined) return standard;
  return {
    stabilizationMs: given.stabilizationWindowSeconds ?? standard.stabilizationMs,
    select: given.selectPolicy,
    policies: given.policies?.map(ratePolicyOf) ?? standard.policies,
    cooldownMs: given.cooldown,
  };
}

function ratePolicyOf({
  type,
  value,
  periodSeconds,
}: NonNullable<Direction['policies']>[number]): RatePolicy {
  return { type: type === 'Percent' ? 'Percent' : 'Count', value, periodMs: periodSeconds };
}
