// Keeps out of traffic what is to stay out: spares that come up, and what an operator has drained.
import type { Clock } from '../../shared/clock.ts';
import type { FleetAgents } from './fleet-agents.ts';
import type { ServiceInstance } from './service-instance.ts';

/** An instance that should be out of traffic and does not say so is told again after this long. */
const tellAgainMs = 1000;

export class KeepOut {
  readonly #agents: FleetAgents;
  readonly #clock: Clock;
  /** When each agent was told last. */
  readonly #told = new Map<string, number>();

  constructor(agents: FleetAgents, clock: Clock) {
    this.#agents = agents;
    this.#clock = clock;
  }

  /**
   * Told before it gets traffic: a spare that has just come up, and what an operator has drained, when neither its agent
   * nor the registry remember it. The registry says it again to each new session.
   */
  tell({ agent, phase, byOperator, madeSpare }: ServiceInstance): void {
    if (agent === undefined) return;
    if (!byOperator && !madeSpare) this.#told.delete(agent);
    else if (phase !== undefined && phase !== 'stopping') {
      // Once in any case, so that the registry knows it for the next session; again for as long as it does not show.
      const now = this.#clock.monotonic();
      const toldAt = this.#told.get(agent);
      if (toldAt !== undefined && (phase === 'draining' || now - toldAt < tellAgainMs)) return;
      this.#told.set(agent, now);
      this.#agents.drain(agent, true, byOperator ? 'an operator has drained it' : 'it is kept warm');
    }
  }
}
