// What decisions have made of a firing: asked for every live alert several times a second, so what one evaluation saw and
// what was behind it is worked out once.
import type { InboxRow } from '../alerts/inbox-row.ts';
import { alertsBehind } from '../decide/alerts-behind.ts';
import type { DecisionRecord } from '../decide/record.ts';
import type { DecisionLog, Evaluation } from './decision-log.ts';
import type { Services } from './services.ts';

/** Ids of firings. */
interface Known {
  seen: ReadonlySet<string>;
  /** Undefined where other metrics or an expression decided: then every alert that was seen was taken up. */
  behind: ReadonlySet<string> | undefined;
}

type Firing = Pick<InboxRow, 'id' | 'heardAt'>;

export class DecidedAlerts {
  readonly #decisions: Pick<DecisionLog, 'last' | 'changes'>;
  readonly #services: Services;
  readonly #known = new WeakMap<DecisionRecord, Known>();

  constructor(decisions: Pick<DecisionLog, 'last' | 'changes'>, services: Services) {
    this.#decisions = decisions;
    this.#services = services;
  }

  /** The last decision that changed the size and had this firing before it. */
  changeBy({ id, heardAt }: Firing, service: string): Evaluation | undefined {
    for (const evaluation of this.#decisions.changes(service)) {
      if (evaluation.at < heardAt) return undefined;
      const { seen, behind } = this.#of(evaluation);
      if (evaluation.record.outcome.action !== 'none' && (behind ?? seen).has(id)) return evaluation;
    }
    return undefined;
  }

  /** The number that is wanted was set for this firing: known also to a coordinator that has not decided itself. */
  isBehindWanted({ id }: Pick<InboxRow, 'id'>, service: string): boolean {
    return this.#services.get(service)?.wantedFirings.includes(id) ?? false;
  }

  saw(evaluation: Evaluation | undefined, { id }: Pick<InboxRow, 'id'>): boolean {
    return evaluation !== undefined && this.#of(evaluation).seen.has(id);
  }

  #of({ record }: Evaluation): Known {
    const known = this.#known.get(record);
    if (known !== undefined) return known;
    const { target, alerts = [] } = record.inputs.observations;
    const ids = (of: readonly { firing?: string }[]) => new Set(of.flatMap(({ firing }) => firing ?? []));
    const behind = alertsBehind(record);
    const made: Known = {
      // Not knowing the size is no answer to anybody.
      seen: target.ok ? ids(alerts) : new Set(),
      behind: behind.length === 0 ? undefined : ids(behind),
    };
    this.#known.set(record, made);
    return made;
  }
}
