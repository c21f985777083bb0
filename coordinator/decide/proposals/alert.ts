// Steps by alert. Each firing asks for the size at which it was first seen, plus its step, so that asking again every second
// changes nothing; one that stays active may step again after a while. The highest size wins. When an alert ends, its wish ends, and
// when it fires again, it asks anew.
//
// The size may have moved since for other reasons. An alert that asks for more then lowers nothing, it only keeps others from going
// below what it asked for; one that asks for less raises nothing.
import { type Alert, weightOf } from '../alerts.ts';
import type { MetricTarget } from '../policy.ts';
import { saturate } from '../saturate.ts';
import { measure, type Proposal } from './proposal.ts';

type AlertTarget = Extract<MetricTarget, { kind: 'alert' }>;

/** The size at which each active alert was first seen, when, and in which firing. By fingerprint. */
export type AlertBases = Readonly<Record<string, AlertBase>>;
type AlertBase = { readonly base: number; readonly at: number; readonly firing?: string };

export function proposeByAlerts(
  target: AlertTarget,
  alerts: readonly Alert[],
  bases: AlertBases,
  n: number,
  t: number,
): { proposal: Proposal; bases: AlertBases } {
  const kept: Record<string, AlertBase> = {};
  let highest: number | null = null;
  let mayLower = false;
  for (const alert of alerts) {
    if (alert.ageMs > target.ttlMs) continue;
    const step = stepOf(alert, target);
    if (step === 0) continue;
    const known = Object.hasOwn(bases, alert.fingerprint) ? bases[alert.fingerprint] : undefined;
    const { firing } = alert;
    const fresh = { base: n, at: t, ...(firing === undefined ? {} : { firing }) };
    const first = known?.firing === firing ? (known ?? fresh) : fresh;
    kept[alert.fingerprint] = first;
    const times = target.repeatMs === null ? 1 : 1 + Math.floor((t - first.at) / target.repeatMs);
    const wish = saturate(first.base + step * times);
    if (step < 0 && wish > n) continue;
    mayLower ||= step < 0;
    highest = Math.max(highest ?? 0, wish);
  }
  if (highest === null) return { proposal: { outcome: 'abstain', measured: null }, bases: kept };
  const proposal = { outcome: 'value', count: highest, load: null, measured: measure(highest) } as const;
  const isFloor = highest < n && !mayLower;
  return { proposal: isFloor ? { ...proposal, floor: true } : proposal, bases: kept };
}

/** How much more or less an alert asks for; 0: nothing. */
export function stepOf(alert: Alert, target: AlertTarget): number {
  if (alert.step !== undefined) return alert.step;
  return weightOf(alert.name, target.byName) || weightOf(alert.severity ?? '', target.bySeverity);
}

/** True when an alert is active that may break through the cooldown. */
export function isCritical(alerts: readonly Alert[] | undefined): boolean {
  return alerts?.some((alert) => alert.severity === 'critical') ?? false;
}
