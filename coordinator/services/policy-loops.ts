// The loops of all policies in force: begun, replaced when their policy changes, ended when it is gone.
import type { PolicyState } from '../decide/state.ts';
import type { EffectivePolicy } from '../policy/resolve-policies.ts';
import { PolicyLoop, type PolicyLoopParts } from './policy-loop.ts';

export interface PolicyLoopsParts {
  policyOf(service: string): EffectivePolicy | undefined;
  loopParts: PolicyLoopParts;
  /** Drops what the metrics of the policy of a service remember. */
  forgetMetrics(service: string, state: PolicyState): void;
}

/** A policy whose last evaluation is older than this many intervals, and this time, is stuck. */
const stuckAfter = { intervals: 5, leastMs: 10_000 };

interface Running {
  loop: PolicyLoop;
  stop: AbortController;
  ended: Promise<void>;
}

export class PolicyLoops {
  readonly #parts: PolicyLoopsParts;
  readonly #running = new Map<string, Running>();

  constructor(parts: PolicyLoopsParts) {
    this.#parts = parts;
  }

  inForce(): EffectivePolicy[] {
    return [...this.#running.values()].map(({ loop }) => loop.effective);
  }

  /** The policy by which a service is scaled now. */
  of(service: string): EffectivePolicy | undefined {
    return this.#running.get(service)?.loop.effective;
  }

  /** Policies whose loop has not come to an end of an evaluation for too long, with the age. */
  stuck(): { policy: string; ageMs: number }[] {
    return [...this.#running.values()].flatMap(({ loop }) => {
      const { name, intervalMs } = loop.effective.policy;
      const limit = Math.max(stuckAfter.leastMs, stuckAfter.intervals * intervalMs);
      return loop.age > limit ? [{ policy: name, ageMs: Math.round(loop.age) }] : [];
    });
  }

  /** Age of the last evaluation of each policy. */
  ages(): { policy: string; service: string; ageMs: number }[] {
    return [...this.#running.values()].map(({ loop }) => ({
      policy: loop.effective.policy.name,
      service: loop.effective.policy.service,
      ageMs: loop.age,
    }));
  }

  /** Starts a loop for each policy in force, ends those of policies that are gone or have changed. Until `signal`. */
  async follow(services: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { policyOf, loopParts } = this.#parts;
    for (const service of [...this.#running.keys()]) if (!services.has(service)) await this.#end(service);
    for (const service of services) {
      const effective = policyOf(service);
      const running = this.#running.get(service);
      if (effective === undefined) {
        if (running !== undefined) await this.#end(service);
        continue;
      }
      if (running !== undefined && JSON.stringify(running.loop.effective) === JSON.stringify(effective))
        continue;
      const same = running?.loop.effective.policy.name === effective.policy.name;
      const state = same ? running?.loop.state : undefined;
      if (running !== undefined) await this.#stop(service, running);
      const loop = new PolicyLoop(effective, loopParts, state);
      const stop = new AbortController();
      this.#running.set(service, { loop, stop, ended: loop.run(AbortSignal.any([signal, stop.signal])) });
    }
  }

  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** For good: what a policy of alerts alone remembers of them is over with them. */
  async #end(service: string): Promise<void> {
    const running = this.#running.get(service);
    if (running === undefined) return;
    await this.#stop(service, running);
    const { effective, state } = running.loop;
    if (effective.origins.policy === 'alert' && state !== undefined)
      this.#parts.forgetMetrics(service, state);
  }

  async #stop(service: string, { stop, ended }: Running): Promise<void> {
    stop.abort();
    this.#running.delete(service);
    await ended;
  }
}
