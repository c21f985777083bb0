// The disruption budget in the acting half: how many must go on serving while others are taken away on purpose, whoever
// asks for it (a policy, an operator's number, an alert, an operator's drain). One ledger with the deciding half, which
// limits its own numbers by the same budget of the same size (decide/guards.ts). Pure.
import { leastAvailable } from '../decide/guards.ts';
import type { Policy } from '../decide/policy.ts';
import { isActive, type ServiceInstance } from './service-instance.ts';

/**
 * Of the size that there was before the number was lowered: a share of the smaller one would let all the others go at
 * once. `decided`: what the policy has settled on; it follows a number that was set by hand, as far as the budget lets it.
 * Without a budget the last one that serves stays, until none is wanted.
 */
export function leastServing(budget: Policy['budget'], wanted: number, decided: number | null): number {
  if (budget === null) return Math.min(1, wanted);
  return Math.max(0, leastAvailable(budget, Math.max(wanted, decided ?? 0)));
}

/** Why a container must stay in traffic now, although an operator wants it out; undefined when it may leave. */
export function whyInTraffic(
  container: string,
  instances: readonly ServiceInstance[],
  least: number,
  isLeaving: (id: string) => boolean,
): string | undefined {
  const serving = instances.filter(
    (instance) => instance.serving && isActive(instance) && !instance.byOperator && !isLeaving(instance.id),
  );
  const one = serving.find(({ id }) => id === container);
  if (one === undefined || serving.length > least) return undefined;
  return `${one.name} stays in traffic: only ${serving.length} serve and ${least} must`;
}
