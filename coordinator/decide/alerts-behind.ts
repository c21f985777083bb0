// Which alerts brought a change about: those whose own wish is what the metrics together asked for. Pure; from the record alone.
import type { Alert } from './alerts.ts';
import { proposeByAlerts, stepOf } from './proposals/alert.ts';
import type { DecisionRecord } from './record.ts';

/** None when nothing changed, or when something else than an alert decided. */
export function alertsBehind({ outcome, combined, inputs, n, t }: DecisionRecord): Alert[] {
  const { policy, state, observations } = inputs;
  const winner = policy.metrics.find(({ name }) => name === combined?.winner);
  if (outcome.action === 'none' || winner?.target.kind !== 'alert') return [];
  const { target, name } = winner;
  const bases = state.metrics[name]?.alerts ?? {};
  return (observations.alerts ?? []).filter((alert) => {
    if (stepOf(alert, target) > 0 !== (outcome.action === 'up')) return false;
    const { proposal } = proposeByAlerts(target, [alert], bases, n, t);
    return proposal.outcome === 'value' && proposal.count === combined?.wanted;
  });
}
