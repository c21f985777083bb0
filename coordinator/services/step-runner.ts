// The steps that are being carried out: beside each other and beside the next rounds. An instance with a step on it is
// left alone until the step is done and Docker's listing shows it; one that failed is tried again after a while.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { type Coming, Creations, describeWait } from './creations.ts';
import type { Fleet } from './fleet.ts';
import type { Done, InstanceExecutor } from './instance-executor.ts';
import type { InstanceStep, InstanceStepKind } from './instance-step.ts';
import type { StartWait } from './plan-instances.ts';
import { RetryBook } from './retry-book.ts';
import type { ServiceInstance } from './service-instance.ts';
import type { ServiceState } from './service-state.ts';
import { type Act, StepReporter } from './step-reporter.ts';

export interface StepRunnerParts {
  fleet: Fleet;
  executor: Pick<InstanceExecutor, 'run'>;
  audit(entry: AuditEntry): void;
  log: Log;
  clock: Clock;
}

/** An instance that has served for this long is no crash loop. */
const settledMs = 60_000;

export class StepRunner {
  readonly creations = new Creations();
  readonly #parts: StepRunnerParts;
  readonly #wake: () => void;
  readonly #reporter: StepReporter;
  readonly #starts = new RetryBook();
  /** Containers that Docker refused to start. */
  readonly #unstartable = new Set<string>();
  readonly #busy = new Map<string, { kind: InstanceStepKind; done: Promise<void> }>();

  /** `wake` is called when a step has ended. */
  constructor(parts: StepRunnerParts, wake: () => void) {
    this.#parts = parts;
    this.#wake = wake;
    this.#reporter = new StepReporter(parts.log, parts.audit);
  }

  /** Instances that a step is being carried out on, and which. */
  busy(): ReadonlyMap<string, InstanceStepKind> {
    return new Map([...this.#busy].map(([id, { kind }]) => [id, kind]));
  }

  /** Why a stopped instance is not started again yet; undefined when it may be. */
  startWait(id: string, now: number): StartWait | undefined {
    const waits = this.#starts.waits(id, now);
    if (waits === undefined) return undefined;
    return { why: describeWait(waits), crashed: !this.#unstartable.has(id) };
  }

  /** What has become of earlier steps, from all instances as they are now seen. */
  see(instances: readonly ServiceInstance[]): void {
    const { clock, fleet } = this.#parts;
    for (const instance of instances) {
      if (instance.serving && (instance.startAgeMs ?? 0) > settledMs) this.#starts.succeeded(instance.id);
      if (!this.#busy.has(instance.id)) this.creations.prove(instance, clock.monotonic());
    }
    const ids = new Set(instances.map(({ id }) => id));
    this.#starts.keep(ids);
    for (const id of this.#unstartable) if (!ids.has(id)) this.#unstartable.delete(id);
    this.creations.forget((id) => fleet.fate(id) === 'gone');
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
    const coming = step.kind === 'create' ? this.#place(state.service, step.spare) : undefined;
    const key = step.kind === 'create' ? `create ${crypto.randomUUID()}` : step.id;
    const instance = step.kind === 'create' ? undefined : instances.find(({ id }) => id === step.id);
    const host = coming?.host ?? instance?.host;
    const running = this.#carryOut(step, state, { instance, host, coming }, signal).finally(() => {
      if (coming !== undefined) this.creations.end(coming);
      this.#busy.delete(key);
      this.#wake();
    });
    this.#busy.set(key, { kind: step.kind, done: running });
  }

  /** Where a new instance is to be, in view of what else is being made; undefined when no host would take it now. */
  #place(service: string, spare: boolean): Coming | undefined {
    const { fleet, clock } = this.#parts;
    const avoided = this.creations.avoided(service, fleet.views(), clock.monotonic());
    const host = fleet.chooseHost(service, this.creations.hosts(service), avoided);
    if (host === undefined) return undefined;
    const coming = { service, host, spare };
    this.creations.begin(coming);
    return coming;
  }

  /**
   * Ends only when Docker's listing shows what was done: the next plan is then made from what is, not from what was
   * (AUTOSCALING.md, 25). On a host that has gone away meanwhile that takes until it is back.
   */
  async #carryOut(
    step: Act,
    state: ServiceState,
    on: { instance: ServiceInstance | undefined; host: string | undefined; coming: Coming | undefined },
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
    if (coming !== undefined) this.creations.made(coming, done.container);
    // Each start counts against the next one until it has served for a while: that is what a crash loop looks like.
    if (step.kind === 'start' || step.kind === 'create') {
      this.#starts.failed(done.container, 'it ended soon after its start', this.#parts.clock.monotonic());
      this.#unstartable.delete(done.container);
    }
    this.#reporter.done(step, service, done);
  }

  #failed(
    step: Act,
    service: string,
    { host, coming }: { host: string | undefined; coming: Coming | undefined },
    error: unknown,
  ): void {
    const now = this.#parts.clock.monotonic();
    const why = describeError(error);
    if (coming !== undefined) this.creations.failed(coming, why, now);
    else if (step.kind === 'start') {
      this.#starts.failed(step.id, why, now);
      this.#unstartable.add(step.id);
    }
    this.#reporter.failed(step, service, host, error);
  }
}
