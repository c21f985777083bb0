// Room that is spoken for: what policies of a higher priority wanted when they were last evaluated and did not get, since
// the hosts were full. A policy of a lower priority counts it as taken, so that room that comes free goes to the higher
// one, whichever of them is evaluated first. Pure.
import type { DecisionRecord } from '../decide/record.ts';

export interface RankedRecord {
  readonly service: string;
  readonly priority: number;
  /** Of the last evaluation. */
  readonly record: Pick<DecisionRecord, 'turns' | 'outcome'>;
}

export interface RoomClaim {
  readonly service: string;
  readonly count: number;
}

export function claimsAbove(priority: number, others: readonly RankedRecord[]): RoomClaim[] {
  return others
    .filter((other) => other.priority > priority)
    .flatMap(({ service, record }) => {
      const refused = record.turns.find(({ code }) => code === 'NoCapacity');
      return refused === undefined ? [] : [{ service, count: refused.from - record.outcome.to }];
    });
}
