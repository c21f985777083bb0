// The steps that are being carried out: beside each other and beside the next rounds. An instance with a step on it is
// left alone until the step is done and Docker's listing shows it; one that failed is tried again after a while.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { type Coming, type Creations, describeWait } from './creations.ts';
import type { Fleet } from './fleet.ts';
import type { Done, InstanceExecutor } from './instance-executor.ts';
import type { InstanceStep, InstanceStepKind } from './instance-step.ts';
import type { Placement } from './placement.ts';
import type { Creatable, Create } from './plan-creations.ts';
import type { StartWait } from './plan-instances.ts';
import { RetryBook } from './retry-book.ts';
import type { ServiceInstance } from './service-instance.ts';
import type { ServiceState } from './service-state.ts';
import { type Act, StepReporter } from './step-reporter.ts';

export interface StepRunnerParts {
  fleet: Fleet;
  creations: Creations;
  placement: Placement;
  executor: Pick<InstanceExecutor, 'run'>;
  audit(entry: AuditEntry): void;
  log: Log;
  clock: Clock;
}

/** An instance that has served for this long is no crash loop. */
const settledMs = 60_000;

export class StepRunner {
  readonly #parts: StepRunnerParts;
  readonly #wake: () => void;
  readonly #reporter: StepReporter;
  readonly #starts = new RetryBook();
  /** Of the other steps on a container: `remove ID`. */
  readonly #tries = new RetryBook();
  /** Containers that Docker refused to start. */
  readonly #unstartable = new Set<string>();
  readonly #busy = new Map<string, { kind: InstanceStepKind; done: Promise<void> }>();

  /** `wake` is called when a step has ended. */
  constructor(parts: StepRunnerParts, wake: () => void) {
    this.#parts = parts;
    this.#wake = wake;
    this.#reporter = new StepReporter(parts.log, parts.audit);
  }

  /** Instances that a step is being carried out on, and which; those too that are being made. */
  busy(): ReadonlyMap<string, InstanceStepKind> {
    const made = this.#parts.creations.coming().flatMap(({ id }) => id ?? []);
    return new Map([
      ...made.map((id): [string, InstanceStepKind] => [id, 'create']),
      ...[...this.#busy].map(([id, { kind }]): [string, InstanceStepKind] => [id, kind]),
    ]);
  }

  /** Why a stopped instance is not started again yet; undefined when it may be. */
  startWait(id: string, now: number): StartWait | undefined {
    const waits = this.#starts.waits(id, now);
    if (waits === undefined) return undefined;
    return { why: describeWait(waits), crashed: !this.#unstartable.has(id) };
  }

  /** Why a step of this kind is not tried on an instance yet, after one that failed; undefined when it may be. */
  retryWait(kind: InstanceStepKind, id: string, now: number): string | undefined {
    const waits = this.#tries.waits(tryOf(kind, id), now);
    return waits === undefined ? undefined : describeWait(waits);
  }

  /** How many instances of a service can be made now, and why no more. */
  creatable({ service, spec }: ServiceState, now: number): Creatable {
    if (spec === null)
      return {
        atMost: 0,
        why: 'no instance of it has been seen healthy yet, so there is nothing to clone',
      };
    const { creations, placement, fleet } = this.#parts;
    const views = fleet.views();
    const waiting = creations.waiting(service, views, now);
    const open = views.filter(({ host, known }) => known && !waiting.has(host));
    const { fits, why } = placement.room(service, spec, { avoided: new Set(waiting.keys()) });
    const away = views.flatMap(({ host, known }) => (known ? [] : [`Docker host ${host} does not answer`]));
    const reasons = [...(open.length > 0 ? [why] : []), ...away, ...waiting.values()];
    return {
      atMost: fits,
      why: reasons.length === 0 ? 'there is no Docker host' : reasons.join('; '),
      noRoom: open.length > 0 && waiting.size === 0,
    };
  }

  /** What has become of earlier steps, from all instances as they are now seen. */
  see(instances: readonly ServiceInstance[]): void {
    const { clock, fleet } = this.#parts;
    for (const instance of instances) {
      if (instance.servingMs > settledMs) this.#starts.succeeded(instance.id);
      if (!this.#busy.has(instance.id)) this.#parts.creations.prove(instance, clock.monotonic());
    }
    const ids = new Set(instances.map(({ id }) => id));
    this.#starts.keep((id) => ids.has(id));
    this.#tries.keep((key) => ids.has(key.slice(key.indexOf(' ') + 1)));
    for (const id of this.#unstartable) if (!ids.has(id)) this.#unstartable.delete(id);
    const isGone = (id: string) => !this.#busy.has(id) && fleet.fate(id) === 'gone';
    this.#parts.creations.forget(isGone, clock.monotonic());
  }

  /** Begins the steps of a plan, and says what it holds. */
  begin(
    steps: readonly InstanceStep[],
    state: ServiceState,
    instances: readonly ServiceInstance[],
    signal: AbortSignal,
  ): void {
    this.#reporter.holds(state.service, steps);
    for (const step of steps) if (step.kind !== 'hold') this.#launch(step, state, instances, signal);
  }

  async ended(): Promise<void> {
    await Promise.all([...this.#busy.values()].map(({ done }) => done));
  }

  #launch(step: Act, state: ServiceState, instances: readonly ServiceInstance[], signal: AbortSignal): void {
    const coming = step.kind === 'create' ? this.#place(state, step) : undefined;
    const key = step.kind === 'create' ? `create ${crypto.randomUUID()}` : step.id;
    const instance = step.kind === 'create' ? undefined : instances.find(({ id }) => id === step.id);
    const running = this.#carryOut(step, state, { instance, coming }, signal).finally(() => {
      if (coming !== undefined) this.#parts.creations.end(coming);
      this.#busy.delete(key);
      this.#wake();
    });
    this.#busy.set(key, { kind: step.kind, done: running });
  }

  /** Where a new instance is to be, in view of what else is being made; undefined when no host would take it now. */
  #place({ service, spec, original }: ServiceState, step: Create): Coming | undefined {
    const { creations, placement, fleet, clock } = this.#parts;
    const begunAt = clock.monotonic();
    const avoided = new Set(creations.waiting(service, fleet.views(), begunAt).keys());
    if (spec === null) return undefined;
    // The original has its ports, and maybe its volumes, on the host where it was; elsewhere a clone is made.
    const others = fleet.views().flatMap(({ host }) => (host === original?.host ? [] : [host]));
    const home =
      step.original === true ? placement.choose(service, spec, new Set([...avoided, ...others])) : undefined;
    const place = home ?? placement.choose(service, spec, avoided);
    if (place === undefined) return undefined;
    const about = { spare: step.spare, original: home !== undefined, clonedFor: step.model?.firing };
    const coming: Coming = { service, ...about, begunAt, ...place };
    creations.begin(coming);
    return coming;
  }

  /**
   * Ends only when Docker's listing shows what was done: the next plan is then made from what is, not from what was
   * (AUTOSCALING.md, 25). On a host that has gone away meanwhile that takes until it is back.
   */
  async #carryOut(
    step: Act,
    state: ServiceState,
    on: { instance: ServiceInstance | undefined; coming: Coming | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const { executor, fleet } = this.#parts;
    let done: Done;
    try {
      done = await executor.run(step, state, on, signal);
    } catch (error) {
      if (!signal.aborted) this.#failed(step, state.service, on, error);
      return;
    }
    this.#succeeded(step, state.service, on.coming, done);
    if (step.kind === 'drain' || step.kind === 'undrain') return;
    // It rejects at the end of this loop alone.
    await fleet.lookAgain(done.host, signal).catch(() => undefined);
  }

  #succeeded(step: Act, service: string, coming: Coming | undefined, done: Done): void {
    if (coming !== undefined) this.#parts.creations.made(coming, done.container);
    // Each start counts against the next one until it has served for a while: that is what a crash loop looks like.
    if (step.kind === 'start' || step.kind === 'create') {
      this.#starts.failed(done.container, 'it ended soon after its start', this.#parts.clock.monotonic());
      this.#unstartable.delete(done.container);
    }
    if (step.kind === 'stop' || step.kind === 'remove') this.#parts.creations.dismiss(step.id);
    if (step.kind !== 'create') this.#tries.succeeded(tryOf(step.kind, step.id));
    this.#reporter.done(step, service, done);
  }

  #failed(
    step: Act,
    service: string,
    { instance, coming }: { instance: ServiceInstance | undefined; coming: Coming | undefined },
    error: unknown,
  ): void {
    const now = this.#parts.clock.monotonic();
    const why = describeError(error);
    if (coming !== undefined) this.#parts.creations.failed(coming, why, now);
    else if (step.kind === 'start') {
      this.#starts.failed(step.id, why, now);
      this.#unstartable.add(step.id);
    } else if (step.kind !== 'create') this.#tries.failed(tryOf(step.kind, step.id), why, now);
    this.#reporter.failed(step, service, coming?.host ?? instance?.host, error);
  }
}

const tryOf = (kind: InstanceStepKind, id: string): string => `${kind} ${id}`;
