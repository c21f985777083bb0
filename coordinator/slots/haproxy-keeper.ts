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
import { countTemplates, isDown, type SlotTemplate, slotsOf } from '../../shared/haproxy/slots.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRecord } from '../agents/agent-record.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { type HaproxyPicture, incarnationOf, observeHaproxy } from '../observe/haproxy.ts';
import { applySteps, type Outcome } from './apply-steps.ts';
import { planSlots, type SlotAgent } from './plan-slots.ts';
import { type HaproxyView, type SlotView, viewHaproxy, viewSlots } from './slot-view.ts';
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
  containerGone(record: AgentRecord): boolean;
  /** How many HAProxys there are: with one, every agent's registration is meant for it, whatever name it knows it by. */
  haproxyCount(): number;
  round(haproxy: string, ms: number, outcome: 'ok' | 'failed'): void;
  repaired(haproxy: string, kind: SlotStep['kind'], outcome: Outcome['outcome']): void;
  changed(): void;
}

const settleMs = 1000;
const retryFailedMs = 5000;
/** An unreachable HAProxy is asked this often, to find it within the goal of row 31; later more rarely. */
const awayMs = { first: 20, later: 250, laterAfter: 60_000 };

const events: Record<SlotStep['kind'], string> = {
  assign: 'slot.reassigned',
  'set-state': 'slot.repaired',
  release: 'slot.reclaimed',
  mute: 'slot.muted',
  'break-lock': 'lock.broken',
  hold: 'slot.held',
};

export class HaproxyKeeper {
  readonly name: string;
  readonly #api: RuntimeApi;
  readonly #settings: KeeperSettings;
  readonly #hooks: KeeperHooks;
  readonly #places = new Map<string, LockPlace>();
  readonly #standing = new Map<string, number>();
  /** Steps that failed, with the time until which they are not tried again. */
  readonly #failed = new Map<string, number>();
  readonly #downSince = new Map<string, number>();
  readonly #watchingSince: number;
  #holds = new Set<string>();
  #picture: HaproxyPicture | undefined;
  #templates: SlotTemplate[] = [];
  #observedAt: number | undefined;
  #error: string | undefined = 'not asked yet';
  #awaySince: number | undefined;
  #restarted = false;
  #wake = new AbortController();

  constructor(endpoint: Endpoint, settings: KeeperSettings, hooks: KeeperHooks) {
    this.name = endpoint.name;
    this.#api = createRuntimeApi(endpoint);
    this.#settings = settings;
    this.#hooks = hooks;
    this.#watchingSince = hooks.clock.monotonic();
  }

  /** A round begins at once: something has changed. */
  wake(): void {
    this.#wake.abort();
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
      this.#wake = new AbortController();
      const started = clock.monotonic();
      const outcome = await this.#tryRound(signal);
      if (!signal.aborted) this.#hooks.round(this.name, clock.monotonic() - started, outcome);
      const pause = outcome === 'ok' ? this.#settings.intervalMs : this.#awayPause();
      // A burst of heartbeats wakes it once in a while, not once for each.
      await clock.sleep(Math.min(10, pause), signal);
      await clock.sleep(pause - 10, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  #awayPause(): number {
    const away = this.#hooks.clock.monotonic() - (this.#awaySince ?? 0);
    return away < awayMs.laterAfter ? awayMs.first : awayMs.later;
  }

  async #tryRound(signal: AbortSignal): Promise<'ok' | 'failed'> {
    const { clock, log } = this.#hooks;
    try {
      const picture = await observeHaproxy(this.#api, () => clock.monotonic(), signal);
      const gap = this.#arrived(picture);
      await this.#repair(picture, gap, signal);
      return 'ok';
    } catch (error) {
      if (signal.aborted) return 'failed';
      const text = describeError(error);
      if (this.#awaySince === undefined) {
        this.#awaySince = clock.monotonic();
        log.warn(
          { event: 'haproxy.lost', haproxy: this.name, error: text },
          `HAProxy ${this.name} does not answer: ${text}`,
        );
        this.#audit('haproxy.lost', text);
        this.#hooks.changed();
      }
      this.#error = text;
      return 'failed';
    }
  }

  /** Notes who answered. Returns true when HAProxy had been out of reach or is another process than before. */
  #arrived(picture: HaproxyPicture): boolean {
    const { clock, log } = this.#hooks;
    const before = this.#picture;
    const gap = this.#awaySince !== undefined;
    const awayFor = gap ? Math.round(clock.monotonic() - (this.#awaySince ?? 0)) : 0;
    this.#picture = picture;
    this.#observedAt = clock.wall();
    this.#error = undefined;
    this.#awaySince = undefined;
    const other = before !== undefined && incarnationOf(before.info) !== incarnationOf(picture.info);
    const younger = before !== undefined && picture.info.uptimeSeconds < before.info.uptimeSeconds;
    if (other || younger) {
      this.#restarted = true;
      const reason = `process ${picture.info.pid} answers instead of ${before?.info.pid}`;
      log.warn(
        { event: 'haproxy.restarted', haproxy: this.name, awayMs: awayFor },
        `HAProxy ${this.name} has restarted: ${reason}`,
      );
      this.#audit('haproxy.restarted', reason);
    } else if (gap || before === undefined) {
      log.info(
        { event: 'haproxy.found', haproxy: this.name, awayMs: awayFor, version: picture.info.version },
        `HAProxy ${this.name} answers`,
      );
      this.#audit('haproxy.found', gap ? `it was out of reach for ${awayFor} ms` : 'first contact');
    }
    if (gap || other || before === undefined) this.#hooks.changed();
    return gap || this.#restarted;
  }

  async #repair(picture: HaproxyPicture, gap: boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#hooks;
    const agents = this.#agents();
    this.#templates = this.#findTemplates(picture, agents);
    this.#noteDown(picture);
    const steps = planSlots({
      rows: picture.rows,
      templates: this.#templates,
      agents,
      restarted: this.#restarted,
      now: clock.monotonic(),
      watchingSince: this.#watchingSince,
      downSince: this.#downSince,
    });
    this.#reportHolds(steps.filter((step) => step.kind === 'hold'));
    const ripe = this.#ripe(steps, gap);
    if (ripe.length > 0) {
      const context = {
        api: this.#api,
        clock,
        random: Math.random,
        signal,
        templates: this.#templates,
        places: this.#places,
      };
      for (const outcome of await applySteps(context, ripe)) this.#report(outcome);
      this.#hooks.changed();
      this.#wake.abort(); // the next look shows what came of it
    } else if (steps.every((step) => step.kind === 'hold')) {
      this.#restarted = false;
    }
  }

  /** The steps to do now: urgent ones, and those whose difference has stood for long enough. */
  #ripe(steps: readonly SlotStep[], gap: boolean): SlotStep[] {
    const now = this.#hooks.clock.monotonic();
    const keys = new Set(steps.map(stepKey));
    for (const key of this.#standing.keys()) if (!keys.has(key)) this.#standing.delete(key);
    for (const key of this.#failed.keys()) if (!keys.has(key)) this.#failed.delete(key);
    return steps.filter((step) => {
      if (step.kind === 'hold') return false;
      const key = stepKey(step);
      const since = this.#standing.get(key) ?? now;
      this.#standing.set(key, since);
      if (now < (this.#failed.get(key) ?? now)) return false;
      return step.urgent || gap || now - since >= settleMs;
    });
  }

  /** Prefixes that are configured or in use, in every backend that has such slots. */
  #findTemplates(picture: HaproxyPicture, agents: readonly SlotAgent[]): SlotTemplate[] {
    const used = agents
      .map(({ registration }) => registration.slot?.replace(/\d+$/, '') ?? '')
      .filter((prefix) => prefix !== '');
    const prefixes = [...new Set([this.#settings.slotPrefix, ...used])];
    return prefixes.flatMap((prefix) =>
      [...countTemplates(picture.rows, prefix)].map(([backend, count]) => ({ backend, prefix, count })),
    );
  }

  #noteDown(picture: HaproxyPicture): void {
    const down = new Set(
      this.#templates
        .flatMap((template) => slotsOf(picture.rows, template))
        .filter(isDown)
        .map((row) => `${row.backend}/${row.name}`),
    );
    for (const key of this.#downSince.keys()) if (!down.has(key)) this.#downSince.delete(key);
    for (const key of down) if (!this.#downSince.has(key)) this.#downSince.set(key, picture.at);
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
        : [{ record, registration, containerGone: this.#hooks.containerGone(record) }];
    });
  }

  #report(result: Outcome): void {
    const { step, outcome } = result;
    const { log, repaired } = this.#hooks;
    repaired(this.name, step.kind, outcome);
    if (outcome === 'skipped') return; // somebody else was faster; the next look tells
    if (outcome === 'failed') {
      // Reported once, tried again in a while for as long as the difference stands.
      const known = this.#failed.has(stepKey(step));
      this.#failed.set(stepKey(step), this.#hooks.clock.monotonic() + retryFailedMs);
      if (known) return;
    }
    const event = events[step.kind];
    const fields = {
      event,
      haproxy: this.name,
      backend: step.slot.backend,
      slot: step.slot.name,
      agent: step.agent,
      reason: step.reason,
      outcome,
    };
    const line = `${event.replace('.', ' ')}: ${step.slot.backend}/${step.slot.name}, since ${step.reason}`;
    if (outcome === 'ok') log.info(fields, line);
    else log.error({ ...fields, error: result.why }, `${line}: ${result.why}`);
    this.#auditStep(step, outcome, outcome === 'ok' ? step.reason : `${step.reason}; ${result.why}`);
  }

  #auditStep(step: SlotStep, outcome: AuditEntry['outcome'], reason: string): void {
    const record = this.#hooks.agents().find(({ id }) => id === step.agent);
    this.#hooks.audit({
      event: events[step.kind],
      actor: 'coordinator',
      reason,
      outcome,
      haproxy: this.name,
      backend: step.slot.backend,
      slot: step.slot.name,
      ...(step.agent === undefined ? {} : { agent: step.agent }),
      ...(record?.container === undefined ? {} : { container: record.container }),
      ...(record?.service === undefined ? {} : { service: record.service }),
      ...('app' in step ? { to: `${step.app.address}:${step.app.port}` } : {}),
    });
  }

  #reportHolds(held: readonly SlotStep[]): void {
    const keys = new Set(held.map(stepKey));
    for (const step of held) {
      if (this.#holds.has(stepKey(step))) continue;
      const fields = {
        event: 'slot.held',
        haproxy: this.name,
        backend: step.slot.backend,
        slot: step.slot.name,
        agent: step.agent,
      };
      this.#hooks.log.warn(fields, `slot held: ${step.slot.backend}/${step.slot.name}, since ${step.reason}`);
      this.#auditStep(step, 'held', step.reason);
    }
    this.#holds = keys;
  }

  #audit(event: string, reason: string): void {
    this.#hooks.audit({ event, actor: 'coordinator', reason, outcome: 'ok', haproxy: this.name });
  }
}
