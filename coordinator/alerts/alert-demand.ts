// What live alerts ask for, as data: for the deciding half (`Alert[]`, a step up or down) and for the plan (which
// container to clone or to remove, which service to look after). Pure.
import { type Alert, weightOf } from '../decide/alerts.ts';
import type { Direction } from './actions.ts';
import type { ContainerRef, HaproxyRef } from './alert-signal.ts';
import type { Now, PoolEntry } from './judge-alert.ts';

interface CommonDemand {
  service: string;
  fingerprint: string;
  name: string;
  severity: string | undefined;
  /** Wall milliseconds. */
  since: number;
  expiresAt: number;
  /** Bounds, policy and naming that the alert itself brings along. */
  min: number | undefined;
  max: number | undefined;
  policy: string | undefined;
  naming: string | undefined;
  haproxy: HaproxyRef | undefined;
}

export type AlertDemand = CommonDemand &
  (
    | { kind: 'scale'; direction: Direction; step: number; container: ContainerRef | undefined }
    /** Up: clone this container. Down: remove this one. */
    | { kind: 'node'; direction: Direction; step: number; container: ContainerRef }
    /** Look now whether this container, or all of the service, should be started, made again or replaced. */
    | { kind: 'availability'; container: ContainerRef | undefined }
  );

/** How many instances an alert stands for that does not say so itself: by its name, else its severity, else its direction. */
export interface AlertWeights {
  byName?: Readonly<Record<string, number>> | undefined;
  bySeverity?: Readonly<Record<string, number>> | undefined;
  /** 1. */
  up?: number | undefined;
  down?: number | undefined;
}

/** Undefined for an alert by name: it asks for nothing until a policy gives its name a meaning. */
export function demandOf(
  entry: PoolEntry,
  service: string,
  now: Now,
  weights: AlertWeights = {},
): AlertDemand | undefined {
  const { signal } = entry;
  const { fingerprint, name, severity, min, max, policy, naming, haproxy, container } = signal;
  const common: CommonDemand = {
    service,
    fingerprint,
    name,
    severity,
    since: entry.startsAt,
    expiresAt: Math.round(now.wall + entry.expiresAt - now.monotonic),
    min,
    max,
    policy,
    naming,
    haproxy,
  };
  switch (signal.ask.kind) {
    case 'named':
      return undefined;
    case 'availability':
      return { ...common, kind: 'availability', container };
    case 'scale':
      return { ...common, ...signal.ask, step: stepOf(entry, signal.ask.direction, weights), container };
    case 'node':
      return container === undefined
        ? undefined
        : { ...common, ...signal.ask, step: stepOf(entry, signal.ask.direction, weights), container };
  }
}

/**
 * What `decide` takes; undefined for one that asks for no size, or for a rule that this service's policy does not name.
 * `firing`: the id of its row.
 */
export function alertOf(
  entry: PoolEntry,
  firing: string,
  now: Now,
  weights: AlertWeights = {},
): Alert | undefined {
  const { ask, fingerprint, name, severity } = entry.signal;
  if (ask.kind === 'availability') return undefined;
  const alert: Alert = {
    fingerprint,
    name,
    firing,
    ...(severity === undefined ? {} : { severity }),
    ageMs: Math.max(0, now.monotonic - entry.heardAt),
  };
  if (ask.kind === 'named') return alert;
  const step = stepOf(entry, ask.direction, weights);
  return { ...alert, step: ask.direction === 'up' ? step : -step };
}

/** The narrowest bounds that scaling alerts bring along. */
export function boundsOf(demands: readonly AlertDemand[]): {
  min: number | undefined;
  max: number | undefined;
} {
  const given = (of: (demand: AlertDemand) => number | undefined) =>
    demands.map(of).filter((n) => n !== undefined);
  const mins = given(({ min }) => min);
  const maxs = given(({ max }) => max);
  return {
    min: mins.length === 0 ? undefined : Math.max(...mins),
    max: maxs.length === 0 ? undefined : Math.min(...maxs),
  };
}

/** What the alert says; else what the policy gives its name or severity; the direction is always the alert's own. */
function stepOf({ signal }: PoolEntry, direction: Direction, weights: AlertWeights): number {
  const { byName = {}, bySeverity = {}, up = 1, down = 1 } = weights;
  const weight = weightOf(signal.name, byName) || weightOf(signal.severity ?? '', bySeverity);
  return signal.step ?? (Math.abs(weight) || (direction === 'up' ? up : down));
}
