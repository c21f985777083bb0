// Which instances go. In this order: unhealthy, not yet ready, already draining, fewest sessions (with their queue), on the most
// crowded host, then youngest (or oldest, by choice). A protected one never goes. An instance whose sessions are not known counts as the
// busiest: unknown is not zero. Crowding is counted anew after each choice.
import type { InstanceObservation } from './observation.ts';

export type VictimOrder = 'youngest' | 'oldest';

type Key = readonly number[];

export function chooseVictims(
  instances: readonly InstanceObservation[],
  count: number,
  order: VictimOrder,
): string[] {
  const candidates = instances.filter(mayGo);
  const crowd = new Map<string, number>();
  for (const { host = '' } of candidates) crowd.set(host, (crowd.get(host) ?? 0) + 1);
  const sorted = candidates
    .map((instance) => ({ instance, key: keyOf(instance), age: ageKey(instance, order) }))
    .toSorted(
      (a, b) => compare(a.key, b.key) || compare(a.age, b.age) || (a.instance.id < b.instance.id ? -1 : 1),
    );

  const chosen: string[] = [];
  while (chosen.length < count && sorted.length > 0) {
    const best = mostCrowded(sorted, crowd);
    const [victim] = sorted.splice(best, 1);
    if (victim === undefined) break;
    chosen.push(victim.instance.id);
    const host = victim.instance.host ?? '';
    crowd.set(host, (crowd.get(host) ?? 1) - 1);
  }
  return chosen;
}

function mayGo(instance: InstanceObservation): boolean {
  if (instance.protected === true) return false;
  return (
    instance.phase === 'running' ||
    instance.phase === 'created' ||
    instance.phase === 'starting' ||
    instance.phase === 'draining'
  );
}

/** Everything before the host, smallest first. */
function keyOf(instance: InstanceObservation): Key {
  const { phase, ready } = instance;
  const running = phase === 'running';
  const state =
    running && ready === false
      ? 0
      : phase === 'created' || phase === 'starting'
        ? 1
        : phase === 'draining'
          ? 2
          : 3;
  return [state, instance.sessions ?? Number.POSITIVE_INFINITY];
}

function ageKey(instance: InstanceObservation, order: VictimOrder): Key {
  const age = instance.startAgeMs ?? 0;
  return [order === 'youngest' ? age : -age];
}

/** Of those that tie for the first place, the index of the one on the most crowded host. */
function mostCrowded(
  sorted: readonly { instance: InstanceObservation; key: Key }[],
  crowd: ReadonlyMap<string, number>,
): number {
  const [first] = sorted;
  if (first === undefined) return 0;
  let best = 0;
  let most = -1;
  for (const [index, { instance, key }] of sorted.entries()) {
    if (compare(key, first.key) !== 0) break;
    const crowding = crowd.get(instance.host ?? '') ?? 0;
    if (crowding > most) {
      most = crowding;
      best = index;
    }
  }
  return best;
}

function compare(a: Key, b: Key): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}
