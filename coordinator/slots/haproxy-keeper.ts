// Keeps the slots of one HAProxy as they should be: look, plan, apply, look again. Single-flight; no plan is carried
// over from one round to the next.
//
// A difference is repaired once it has stood for `settleMs`, since an agent may be in the middle of mending it itself.
// After a restart, or after HAProxy was out of reach, there is nothing to wait for: the slots are written in the same
// round that finds HAProxy back.
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Endpoint } from '../../shared/haproxy/endpoint.ts';
import type { LockPlace } from '../../shared/haproxy/lock.ts';
import { createRuntimeApi, type RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import type { Slots } from '../../shared/haproxy/slots.ts';
import type { Log } from '../../shared/log.ts';
import { Wakeup } from '../../shared/wakeup.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { type HaproxyPicture, incarnationOf, observeHaproxy } from '../observe/haproxy.ts';
import { applySteps, type Outcome } from './apply-steps.ts';
import { findSlots } from './find-slots.ts';
import { planSlots } from './plan-slots.ts';
import { RepairReporter } from './repair-reporter.ts';
import { SlotHistory } from './slot-history.ts';
import { type HaproxyView, type SlotView, viewHaproxy, viewSlots } from './slot-view.ts';
import type { ContainerFate, SlotAgent } from './slot-world.ts';
import { type SlotStep, stepKey } from './step.ts';

export interface KeeperSettings {
  slotPrefix: string;
  /** Milliseconds between looks while all is well. */
  intervalMs: number;
}

export interface KeeperHooks {
  log: Log;
  clock: Clock;
  /** Never blocks and never rejects. */
  audit(entry: AuditEntry): void;
  agents(): readonly AgentRecord[];
  /** What Docker says of the agent's container. */
  containerFate(record: AgentRecord): ContainerFate;
  /** Slot prefixes beside the configured one, from containers' labels. */
  prefixes(): readonly string[];
  /** How many HAProxys there are: with one, every agent's registration is meant for it, whatever name it knows it by. */
  haproxyCount(): number;
  round(haproxy: string, ms: number, outcome: 'ok' | 'failed'): void;
  repaired(haproxy: string, kind: SlotStep['kind'], outcome: Outcome['outcome']): void;
  changed(): void;
}

const settleMs = 1000;
const retryFailedMs = 5000;
/** A restart stops being the reason for a difference after this long, whatever could not be repaired. */
const restartMs = 30_000;
/** An unreachable HAProxy is asked this often, to find it within the goal of row 31; later more rarely. */
const awayMs = { first: 20, later: 250, laterAfter: 60_000 };

export class HaproxyKeeper {
  readonly name: string;
  readonly api: RuntimeApi;
  readonly #settings: KeeperSettings;
  readonly #hooks: KeeperHooks;
  readonly #places = new Map<string, LockPlace>();
  readonly #standing = new Map<string, number>();
  /** Steps that failed, with the time until which they are not tried again. */
  readonly #failed = new Map<string, number>();
  readonly #history = new SlotHistory();
  readonly #reporter: RepairReporter;
  readonly #watchingSince: number;
  #picture: HaproxyPicture | undefined;
  #templates: Slots[] = [];
  #observedAt: number | undefined;
  #error: string | undefined = 'not asked yet';
  #awaySince: number | undefined;
  #restartedAt: number | undefined;
  readonly #wakeup = new Wakeup();

  constructor(endpoint: Endpoint, settings: KeeperSettings, hooks: KeeperHooks) {
    this.name = endpoint.name;
    this.api = createRuntimeApi(endpoint);
    this.#settings = settings;
    this.#hooks = hooks;
    this.#reporter = new RepairReporter(endpoint.name, hooks.log, hooks.audit);
    this.#watchingSince = hooks.clock.monotonic();
  }

  /** A round begins at once: something has changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Monotonic time of the last look that HAProxy answered. */
  get lastLookAt(): number | undefined {
    return this.#picture?.at;
  }

  get reachable(): boolean {
    return this.#error === undefined;
  }

  /** Every row of HAProxy at the last look; undefined while it is out of reach. */
  get picture(): HaproxyPicture | undefined {
    return this.reachable ? this.#picture : undefined;
  }

  view(): HaproxyView {
    return viewHaproxy(this.name, this.#error, this.#picture, this.#observedAt, this.#templates);
  }

  slots(): SlotView[] {
    return this.#picture === undefined
      ? []
      : viewSlots(this.name, this.#picture, this.#templates, this.#agents());
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#hooks;
    while (!signal.aborted) {
      const started = clock.monotonic();
      const outcome = await this.#tryRound(signal);
      if (!signal.aborted) this.#hooks.round(this.name, clock.monotonic() - started, outcome);
      const pause = outcome === 'ok' ? this.#settings.intervalMs : this.#awayPause();
      // A burst of heartbeats wakes it once in a while, not once for each.
      await clock.sleep(Math.min(10, pause), signal);
      await this.#wakeup.sleep(clock, Math.max(1, pause - 10), signal);
    }
  }

  #awayPause(): number {
    const away = this.#hooks.clock.monotonic() - (this.#awaySince ?? 0);
    return away < awayMs.laterAfter ? awayMs.first : awayMs.later;
  }

  async #tryRound(signal: AbortSignal): Promise<'ok' | 'failed'> {
    const { clock } = this.#hooks;
    let picture: HaproxyPicture;
    try {
      picture = await observeHaproxy(this.api, () => clock.monotonic(), signal);
    } catch (error) {
      if (!signal.aborted) this.#lost(describeError(error));
      return 'failed';
    }
    const gap = this.#arrived(picture);
    try {
      await this.#repair(picture, gap, signal);
      this.#reporter.failure(undefined);
    } catch (error) {
      // It answers looks: it is not lost, and what could not be done is planned again in the next round.
      if (!signal.aborted) this.#reporter.failure(describeError(error));
    }
    return 'ok';
  }

  #lost(error: string): void {
    const { clock, changed } = this.#hooks;
    this.#error = error;
    if (this.#awaySince !== undefined) return;
    this.#awaySince = clock.monotonic();
    this.#reporter.note('haproxy.lost', error, { error }, `HAProxy ${this.name} does not answer: ${error}`);
    changed();
  }

  /** Notes who answered. Returns true when HAProxy had been out of reach or is another process than before. */
  #arrived(picture: HaproxyPicture): boolean {
    const { clock, changed } = this.#hooks;
    const before = this.#picture;
    const gap = this.#awaySince !== undefined;
    const awayMs = gap ? Math.round(clock.monotonic() - (this.#awaySince ?? 0)) : 0;
    this.#picture = picture;
    this.#observedAt = clock.wall();
    this.#error = undefined;
    this.#awaySince = undefined;
    const { pid, version, uptimeSeconds } = picture.info;
    const other =
      before !== undefined &&
      (incarnationOf(before.info) !== incarnationOf(picture.info) ||
        uptimeSeconds < before.info.uptimeSeconds);
    if (other) {
      this.#restartedAt = picture.at;
      const reason = `process ${pid} answers instead of ${before.info.pid}`;
      const message = `HAProxy ${this.name} has restarted: ${reason}`;
      this.#reporter.note('haproxy.restarted', reason, { awayMs }, message);
    } else if (gap || before === undefined) {
      const reason = gap ? `it was out of reach for ${awayMs} ms` : 'first contact';
      this.#reporter.note('haproxy.found', reason, { awayMs, version }, `HAProxy ${this.name} answers`);
    }
    if (gap || other) this.#history.forgetOwners();
    if (gap || other || before === undefined) changed();
    const isOver = this.#restartedAt !== undefined && picture.at - this.#restartedAt > restartMs;
    if (isOver) this.#restartedAt = undefined;
    return gap || this.#restartedAt !== undefined;
  }

  async #repair(picture: HaproxyPicture, gap: boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#hooks;
    const agents = this.#agents();
    const prefixes = [this.#settings.slotPrefix, ...this.#hooks.prefixes()];
    this.#templates = findSlots(picture.rows, prefixes, agents);
    const steps = planSlots({
      rows: picture.rows,
      templates: this.#templates,
      agents: this.#history.recall(agents),
      restarted: this.#restartedAt !== undefined,
      now: clock.monotonic(),
      wall: clock.wall(),
      watchingSince: this.#watchingSince,
      downSince: this.#history.downSince,
      lastOwners: this.#history.lastOwners,
    });
    this.#history.note(picture, this.#templates, agents);
    this.#noteStanding(steps);
    const records = new Map(agents.map(({ record }) => [record.id, record]));
    this.#reporter.holds(
      steps.filter((step) => step.kind === 'hold' && this.#hasStood(step)),
      records,
    );
    const ripe = this.#ripe(steps, gap);
    if (ripe.length > 0) {
      const context = { api: this.api, clock, signal, templates: this.#templates, places: this.#places };
      const outcomes = await applySteps(context, ripe);
      for (const outcome of outcomes) this.#report(outcome, records);
      this.#hooks.changed();
      // The next look shows what came of it; what others are changing just now is looked at in its turn.
      if (outcomes.some(({ outcome }) => outcome === 'ok')) this.#wakeup.wake();
    } else if (steps.every((step) => step.kind === 'hold')) {
      this.#restartedAt = undefined;
    }
  }

  #noteStanding(steps: readonly SlotStep[]): void {
    const now = this.#hooks.clock.monotonic();
    const keys = new Set(steps.map(stepKey));
    for (const key of this.#standing.keys()) if (!keys.has(key)) this.#standing.delete(key);
    for (const key of this.#failed.keys()) if (!keys.has(key)) this.#failed.delete(key);
    for (const key of keys) if (!this.#standing.has(key)) this.#standing.set(key, now);
  }

  #hasStood(step: SlotStep): boolean {
    const now = this.#hooks.clock.monotonic();
    return now - (this.#standing.get(stepKey(step)) ?? now) >= settleMs;
  }

  /** The steps to do now: urgent ones, and those whose difference has stood for long enough. */
  #ripe(steps: readonly SlotStep[], gap: boolean): SlotStep[] {
    const now = this.#hooks.clock.monotonic();
    return steps.filter((step) => {
      if (step.kind === 'hold' || now < (this.#failed.get(stepKey(step)) ?? now)) return false;
      return step.urgent || gap || this.#hasStood(step);
    });
  }

  /** Every agent with the registration that it has in this HAProxy. */
  #agents(): SlotAgent[] {
    const only = this.#hooks.haproxyCount() === 1;
    return this.#hooks.agents().flatMap((record): SlotAgent[] => {
      const registration =
        record.registrations.find(({ haproxy }) => haproxy === this.name) ??
        (only && record.registrations.length === 1 ? record.registrations[0] : undefined);
      return registration === undefined
        ? []
        : [{ record, registration, container: this.#hooks.containerFate(record) }];
    });
  }

  #report(result: Outcome, records: ReadonlyMap<string, AgentRecord>): void {
    const { step } = result;
    this.#hooks.repaired(this.name, step.kind, result.outcome);
    if (result.outcome === 'skipped') {
      // HAProxy stops for a moment at each try, and its last connections may take a while.
      if (step.kind === 'delete')
        this.#failed.set(stepKey(step), this.#hooks.clock.monotonic() + retryFailedMs);
      return;
    }
    if (result.outcome === 'failed') {
      // Reported once, tried again in a while for as long as the difference stands.
      const known = this.#failed.has(stepKey(step));
      this.#failed.set(stepKey(step), this.#hooks.clock.monotonic() + retryFailedMs);
      if (known) return;
    }
    this.#reporter.outcome(result, records.get(step.agent ?? ''));
  }
}
