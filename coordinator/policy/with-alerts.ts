// Alerts act without a policy too, as operators know it from their alerting rules: one that asks for a size gives a service
// without a policy one that consists of alerts, within the bounds that the alert brings along. A policy that combines its
// metrics by the largest proposal heeds alerts as well, whether it lists them or not.
import type { Metric } from '../decide/policy.ts';
import { admitPolicy } from './admit.ts';
import type { EffectivePolicy } from './resolve-policies.ts';

/** The bounds that an alert which asks for a size brings along, and where it wants to go. */
export interface AlertLike {
  direction: 'up' | 'down';
  min: number | undefined;
  max: number | undefined;
}

/** Without any bound of its own an alert takes a service no higher than this. */
export const defaultMaxByAlerts = 10;

const alertsMetric = {
  name: 'alerts', // The inbox ends an alert when it is over; a policy of alerts must not forget it before (Alertmanager repeats every 4 h).
  target: { type: 'Alert', ttl: '24h' },
};

/**
 * `size`: how many are wanted now. The bounds make way for it: alerts that ask for more do not bring a service down to their
 * maximum, nor those that ask for less up to their minimum. Undefined: no policy, and no alert that asks for a size.
 */
export function withAlerts(
  service: string,
  policy: EffectivePolicy | undefined,
  alerts: readonly AlertLike[],
  size = 1,
): EffectivePolicy | undefined {
  if (policy !== undefined) return heedingAlerts(policy);
  if (alerts.length === 0) return undefined;
  const mins = alerts.flatMap(({ min }) => min ?? []);
  const maxs = alerts.flatMap(({ max }) => max ?? []);
  const least = mins.length === 0 ? 1 : Math.max(...mins);
  const most = Math.max(least, maxs.length === 0 ? defaultMaxByAlerts : Math.min(...maxs));
  const goes = (way: AlertLike['direction']) => alerts.some(({ direction }) => direction === way);
  const minReplicas = goes('up') ? least : Math.min(least, Math.max(1, size));
  const maxReplicas = goes('down') ? most : Math.max(most, size);
  const { admitted } = admitPolicy(
    {
      name: `alerts:${service}`,
      service,
      minReplicas,
      maxReplicas,
      interval: '1s',
      metrics: [alertsMetric],
      behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
    },
    'alerts',
  );
  const [made] = admitted;
  return made === undefined
    ? undefined
    : { ...made, origins: { policy: 'alert', service: 'alert', minReplicas: 'alert', maxReplicas: 'alert' } };
}

function heedingAlerts(effective: EffectivePolicy): EffectivePolicy {
  const { policy } = effective;
  if (
    policy.combine !== null ||
    policy.metrics.some(({ target, name }) => target.kind === 'alert' || name === 'alerts')
  )
    return effective;
  const known = heeding.get(effective);
  if (known !== undefined) return known;
  plainMetric ??= plainAlertMetric();
  const made =
    plainMetric === undefined
      ? effective
      : { ...effective, policy: { ...policy, metrics: [...policy.metrics, plainMetric] } };
  heeding.set(effective, made);
  return made;
}

/** Asked several times a second for each service, and always the same for the same policy. */
const heeding = new WeakMap<EffectivePolicy, EffectivePolicy>();
let plainMetric: Metric | undefined;

/** An alert metric with every default filled in. */
function plainAlertMetric(): Metric | undefined {
  const { admitted } = admitPolicy({ name: 'alerts', maxReplicas: 1, metrics: [alertsMetric] }, 'alerts');
  return admitted[0]?.policy.metrics[0];
}
