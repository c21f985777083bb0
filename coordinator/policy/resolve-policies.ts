// Which policy is in force for which service, and where each part of it comes from. Pure.
//
// A label goes before the database, the database before the file (REQUIREMENTS 68): `berth.policy` names the policy that
// a service takes, `berth.min` and `berth.max` replace its bounds. A policy of the database replaces the one of the file
// with the same name, and takes the service from any other policy of the file.
import type { AdmittedPolicy } from './normalize.ts';

/** `alert`: made of live alerts alone (with-alerts.ts). */
export const originNames = ['file', 'database', 'label', 'alert'] as const;
export type Origin = (typeof originNames)[number];

export interface PolicyLabels {
  service: string;
  policy?: string | undefined;
  min?: number | undefined;
  max?: number | undefined;
}

export interface EffectivePolicy extends AdmittedPolicy {
  /** Where the policy itself, and what a label has changed of it, comes from. */
  origins: Readonly<{ policy: Origin; service: Origin; minReplicas: Origin; maxReplicas: Origin }>;
}

export interface Resolution {
  effective: readonly EffectivePolicy[];
  /** What could not be done as asked, for people: a label that names no policy, bounds that contradict each other. */
  problems: readonly { service: string; message: string }[];
}

export function resolvePolicies(
  file: readonly AdmittedPolicy[],
  database: readonly AdmittedPolicy[],
  labels: readonly PolicyLabels[],
): Resolution {
  const byName = new Map<string, { admitted: AdmittedPolicy; origin: Origin }>();
  for (const admitted of file) byName.set(admitted.policy.name, { admitted, origin: 'file' });
  for (const admitted of database) byName.set(admitted.policy.name, { admitted, origin: 'database' });
  const problems: { service: string; message: string }[] = [];
  const byService = new Map<string, EffectivePolicy>();
  // The file's first, so that the database's take their services from them.
  const inOrder = [...byName.values()].toSorted(
    (a, b) => Number(a.origin === 'database') - Number(b.origin === 'database'),
  );
  for (const { admitted, origin } of inOrder) {
    const { service } = admitted.policy;
    byService.set(service, {
      ...admitted,
      origins: { policy: origin, service: origin, minReplicas: origin, maxReplicas: origin },
    });
  }
  for (const label of labels) {
    const { service, policy: name } = label;
    const named = name === undefined ? undefined : byName.get(name);
    if (name !== undefined && named === undefined) {
      problems.push({
        service,
        message: `label berth.policy names ${name}, but there is no policy of that name`,
      });
    }
    const known = byService.get(service);
    const chosen: EffectivePolicy | undefined =
      named === undefined
        ? known
        : {
            ...named.admitted,
            policy: { ...named.admitted.policy, service },
            origins: {
              policy: named.origin,
              service: 'label',
              minReplicas: named.origin,
              maxReplicas: named.origin,
            },
          };
    if (chosen !== undefined) byService.set(service, withBounds(chosen, label, problems));
  }
  return { effective: [...byService.values()], problems };
}

function withBounds(
  effective: EffectivePolicy,
  { service, min, max }: PolicyLabels,
  problems: { service: string; message: string }[],
): EffectivePolicy {
  const minReplicas = min ?? effective.policy.minReplicas;
  const maxReplicas = max ?? effective.policy.maxReplicas;
  if (minReplicas > maxReplicas) {
    problems.push({
      service,
      message: `labels berth.min and berth.max would give at least ${minReplicas} and at most ${maxReplicas}; they are left out`,
    });
    return effective;
  }
  return {
    ...effective,
    policy: { ...effective.policy, minReplicas, maxReplicas },
    origins: {
      ...effective.origins,
      ...(min === undefined ? {} : { minReplicas: 'label' as const }),
      ...(max === undefined ? {} : { maxReplicas: 'label' as const }),
    },
  };
}
