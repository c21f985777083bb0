// Steps by alert. Each active alert asks for the size at which it was first seen, plus its step, so that asking again every second
// changes nothing; one that stays active may step again after a while. The highest size wins. When an alert ends, its wish ends.
import { type Alert, weightOf } from '../alerts.ts';
import type { MetricTarget } from '../policy.ts';
import { saturate } from '../saturate.ts';
import { measure, type Proposal } from './proposal.ts';

type AlertTarget = Extract<MetricTarget, { kind: 'alert' }>;

/** The size at which each active alert was first seen, and when. By fingerprint. */
export type AlertBases = Readonly<Record<string, { readonly base: number; readonly at: number }>>;

export function proposeByAlerts(
  target: AlertTarget,
  alerts: readonly Alert[],
  bases: AlertBases,
  n: number,
  t: number,
): { proposal: Proposal; bases: AlertBases } {
  const kept: Record<string, { base: number; at: number }> = {};
  let highest: number | null = null;
  for (const alert of alerts) {
    if (alert.ageMs > target.ttlMs) continue;
    const step = stepOf(alert, target);
    if (step === 0) continue;
    const known = Object.hasOwn(bases, alert.fingerprint) ? bases[alert.fingerprint] : undefined;
    const first = known ?? { base: n, at: t };
    kept[alert.fingerprint] = first;
    const times = target.repeatMs === null ? 1 : 1 + Math.floor((t - first.at) / target.repeatMs);
    highest = Math.max(highest ?? 0, saturate(first.base + step * times));
  }
  if (highest === null) return { proposal: { outcome: 'abstain', measured: null }, bases: kept };
  return {
    proposal: { outcome: 'value', count: highest, load: null, measured: measure(highest) },
    bases: kept,
  };
}

function stepOf(alert: Alert, target: AlertTarget): number {
  if (alert.step !== undefined) return alert.step;
  return weightOf(alert.name, target.byName) || weightOf(alert.severity ?? '', target.bySeverity);
}

/** True when an alert is active that may break through the cooldown. */
export function isCritical(alerts: readonly Alert[] | undefined): boolean {
  return alerts?.some((alert) => alert.severity === 'critical') ?? false;
}
