// What a policy is set beside: the loop of the Kubernetes HPA with its defaults, on the same service. Every 15 s, up by 4 or
// 100 % per 15 s, down after 300 s; its history is in memory, so that a restart forgets it, and a sum over what answers does
// not tell that a part is missing. Each number is fresh; a real one is up to 15 s older, which is left out in its favour.
import type { Policy } from '../decide/policy.ts';
import { admitPolicy } from '../policy/admit.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';
import type { ServiceModel } from './service-model.ts';
import type { SimulateOptions } from './simulate.ts';

export type PlainHpa = { readonly admitted: AdmittedPolicy; readonly options: Partial<SimulateOptions> };

const intervalMs = 15_000;
const options: Partial<SimulateOptions> = { keepsState: false, knowsPartial: false };

/** The HPA on the metrics of `admitted`, within the same bounds. */
export function plainHpa(admitted: AdmittedPolicy): PlainHpa {
  const rules = hpaPolicy('hpa', admitted.policy);
  const metrics = admitted.policy.metrics.map((metric) => ({ ...metric, tolerance: null, group: '' }));
  return { admitted: { ...admitted, policy: { ...rules.policy, metrics } }, options };
}

/** The HPA as it is used most: on CPU, at the share of its capacity that the model's target is. */
export function plainHpaOnCpu(admitted: AdmittedPolicy, model: ServiceModel): PlainHpa {
  const percent = Math.max(1, Math.round((100 * model.unit) / model.capacity));
  const metric = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
  };
  return { admitted: hpaPolicy('hpa on cpu', admitted.policy, [metric]), options };
}

function hpaPolicy(
  name: string,
  { minReplicas, maxReplicas }: Policy,
  metrics: readonly object[] = [],
): AdmittedPolicy {
  // Without idle sizes and the like, which the HPA does not know; from 0 it never comes back.
  const written = {
    name,
    minReplicas: Math.max(1, minReplicas),
    maxReplicas,
    interval: intervalMs / 1000,
    behavior: { scaleDown: { safeAfter: false } },
    metrics: metrics.length === 0 ? [placeholder] : metrics,
  };
  const [admitted] = admitPolicy(written, 'the plain HPA').admitted;
  if (admitted === undefined) throw new Error('the plain HPA is not admitted');
  return admitted;
}

const placeholder = { name: 'size', target: { type: 'Fixed', value: 1 } };
