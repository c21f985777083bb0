// One policy, evaluated at its own interval: observe, read, decide, note. Single-flight; a slow source delays only this
// policy. What comes out is a wanted number: the act loop brings it about.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import type { Alert } from '../decide/alerts.ts';
import { alertsBehind } from '../decide/alerts-behind.ts';
import { decide } from '../decide/decide.ts';
import { headline } from '../decide/explain.ts';
import { measuredBy } from '../decide/measured.ts';
import type { Observations, Reading } from '../decide/observation.ts';
import type { DecisionRecord } from '../decide/record.ts';
import { emptyState, type PolicyState } from '../decide/state.ts';
import type { EffectivePolicy } from '../policy/resolve-policies.ts';
import type { SourceReader } from '../sources/reader.ts';
import { observationOf } from './act-rules.ts';
import type { Creation } from './creations.ts';
import type { DecisionLog } from './decision-log.ts';
import type { Room } from './placement.ts';
import { isActive, type ServiceInstance } from './service-instance.ts';
import type { Services } from './services.ts';

export interface PolicyLoopParts {
  reader: Pick<SourceReader, 'readAll'>;
  services: Services;
  decisions: Pick<DecisionLog, 'restore' | 'note'>;
  /** The instances of a service; an error in words when they are not known. */
  instances(
    service: string,
  ): { known: true; instances: readonly ServiceInstance[] } | { known: false; why: string };
  /** The service's backend in HAProxy. */
  backendOf(service: string): string;
  alerts(service: string): readonly Alert[];
  /** What an alert says that was measured. */
  measuredBy?(fingerprint: string): { metric: string | undefined; value: number | undefined };
  takeCreation(service: string): Creation | undefined;
  /** How many more the hosts can take; undefined: nothing limits it. */
  room?(service: string): Room | undefined;
  /** Reads metrics `sources` of a policy at once; given apart from `reader` for `berth eval`. */
  log: Log;
  clock: Clock;
}

/** One audit row at least this often, so that a silent policy can be told from a dead one. */
const heartbeatMs = 300_000;
/** A burst of alerts may be behind one decision; a service's state stays small. */
const mostFirings = 100;
/** Names this process on the policies' timelines. */
const run = randomUUID();

export class PolicyLoop {
  readonly effective: EffectivePolicy;
  readonly #parts: PolicyLoopParts;
  #state: PolicyState | undefined;
  /** Instances that the last evaluation has seen, running or not. */
  #known: ReadonlySet<string> | undefined;
  #said = '';
  #saidAt = Number.NEGATIVE_INFINITY;
  #decidedAt: number;

  constructor(effective: EffectivePolicy, parts: PolicyLoopParts, state?: PolicyState) {
    this.effective = effective;
    this.#parts = parts;
    this.#state = state;
    this.#decidedAt = parts.clock.monotonic();
  }

  get state(): PolicyState | undefined {
    return this.#state;
  }

  /** Milliseconds since the last evaluation that came to its end: what a watchdog looks at. */
  get age(): number {
    return this.#parts.clock.monotonic() - this.#decidedAt;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const { name, intervalMs } = this.effective.policy;
    // Not all policies of a start-up at the same moment.
    await clock.sleep(Math.random() * Math.min(intervalMs, 1000), signal);
    while (!signal.aborted) {
      const started = clock.monotonic();
      try {
        await this.evaluate(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.error(
          { event: 'policy.failed', policy: name, error: describeError(error) },
          `policy ${name} could not be evaluated; it is tried again`,
        );
      }
      await clock.sleep(Math.max(10, intervalMs - (clock.monotonic() - started)), signal);
    }
  }

  async evaluate(signal: AbortSignal): Promise<void> {
    const { services, decisions, clock } = this.#parts;
    const { policy } = this.effective;
    this.#state ??= (await this.#restore()) ?? emptyState;
    const observations = await observe(this.effective, this.#parts, signal, this.#known);
    const now = { wallMs: clock.wall(), monoMs: clock.monotonic(), run };
    const { decision, state } = decide(policy, this.#state, observations, now);
    if (signal.aborted) return;
    this.#state = state;
    this.#decidedAt = clock.monotonic();
    if (decision.action !== 'none') {
      const behind = alertsBehind(decision.record);
      services.change(policy.service, {
        wanted: decision.to,
        wantedBy: `policy ${policy.name}`,
        wantedReason: headline(decision.record),
        wantedAlert: nameAlerts(behind),
        wantedFirings: behind.flatMap(({ firing }) => firing ?? []).slice(0, mostFirings),
      });
    } else if (
      observations.target.ok &&
      // None yet is not a wish for none: the first instance may be about to be seen.
      observations.target.wanted > 0 &&
      services.get(policy.service)?.wanted !== observations.target.wanted
    ) {
      services.change(policy.service, {
        wanted: observations.target.wanted,
        wantedBy: `policy ${policy.name}`,
        wantedReason: 'the size that was found',
      });
    }
    // What is there now was counted; whoever comes by hand from here on adds to the size.
    const seen = this.#parts.instances(policy.service);
    if (seen.known) this.#known = new Set(seen.instances.map(({ id }) => id));
    decisions.note(state, decision.record, this.#entry(decision.record));
  }

  /** Undefined while nothing has changed: neither the number nor the reason. */
  #entry(record: DecisionRecord): AuditEntry | undefined {
    const { outcome, service, policy } = record;
    const now = this.#parts.clock.monotonic();
    const key = `${outcome.reason} ${outcome.limits.join(' ')} ${outcome.to}`;
    if (outcome.action === 'none' && key === this.#said && now - this.#saidAt < heartbeatMs) return undefined;
    this.#said = key;
    this.#saidAt = now;
    const reason = headline(record);
    const behind = alertsBehind(record);
    const [first] = behind;
    const measured = first === undefined ? measuredBy(record) : this.#parts.measuredBy?.(first.fingerprint);
    const entry: AuditEntry = {
      event: outcome.action === 'none' ? 'scale.held' : 'scale.decided',
      actor: `policy ${policy}`,
      service,
      policy,
      from: outcome.from,
      to: outcome.to,
      reason,
      outcome: outcome.action === 'none' ? 'held' : 'ok',
      alert: nameAlerts(behind) ?? undefined,
      ...measured,
      details: { code: outcome.reason, limits: outcome.limits, wanted: outcome.wanted },
    };
    this.#parts.log.info(entry, `scale ${outcome.action === 'none' ? 'held' : 'decided'}: ${reason}`);
    return entry;
  }

  async #restore(): Promise<PolicyState | undefined> {
    const { decisions, log } = this.#parts;
    const { name, service } = this.effective.policy;
    try {
      return await decisions.restore(service, name);
    } catch (error) {
      // Without its history a policy takes the size that it finds as recommended, and goes down only after a full window.
      log.warn(
        { event: 'policy.forgotten', policy: name, error: describeError(error) },
        `policy ${name} starts without its history`,
      );
      return undefined;
    }
  }
}

/** The names of a few alerts, for people; null for none. */
function nameAlerts(alerts: readonly Alert[]): string | null {
  const names = [...new Set(alerts.map(({ name }) => name))];
  if (names.length === 0) return null;
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `${names.slice(0, 3).join(', ')}${more}`;
}

/** Everything that one evaluation needs to know, read now. */
export async function observe(
  effective: EffectivePolicy,
  parts: PolicyLoopParts,
  signal: AbortSignal,
  known?: ReadonlySet<string>,
): Promise<Observations> {
  const { policy, sources } = effective;
  const { service, intervalMs } = policy;
  const target = { service, backend: parts.backendOf(service) };
  const requests = Object.entries(sources).map(([name, source]) => ({ name, source, target }));
  const readings: Readonly<Record<string, Reading>> = await parts.reader.readAll(requests, {
    intervalMs,
    signal,
  });
  const seen = parts.instances(service);
  const state = parts.services.get(service);
  const creation = parts.takeCreation(service);
  const capacity = parts.room?.(service);
  const instances = seen.known ? seen.instances : [];
  return {
    target: seen.known
      ? { ok: true, wanted: wantedSize(state?.wanted ?? null, instances, known) }
      : { ok: false, message: seen.why },
    instances: instances.map(observationOf),
    readings,
    alerts: parts.alerts(service),
    ...(creation === undefined ? {} : { creation }),
    ...(capacity === undefined ? {} : { capacity }),
    ...(state === undefined ? {} : { controls: controlsOf(state, effective) }),
  };
}

/**
 * The size that is wanted now: ours, and one more for each instance that somebody has started by hand since `known` was
 * noted (without `known`, nobody has). Clones are ours, and one that was known and is on its way out counts no more.
 */
function wantedSize(
  wanted: number | null,
  instances: readonly ServiceInstance[],
  known: ReadonlySet<string> | undefined,
): number {
  const active = instances.filter(isActive);
  if (wanted === null) return active.length;
  const isByHand = ({ clone, remade = false }: ServiceInstance) => !clone && !remade;
  return wanted + active.filter((each) => isByHand(each) && known?.has(each.id) === false).length;
}

/**
 * Alerts alone never bring a size back that was set by hand for a time, so a policy made of them does not take it up: what
 * they ask for waits below it.
 */
function controlsOf(
  { pause, override: given }: NonNullable<ReturnType<Services['get']>>,
  { origins }: EffectivePolicy,
): NonNullable<Observations['controls']> {
  const override = origins.policy === 'alert' ? null : given;
  const until = (wall: number | null) => (wall === null ? {} : { untilWallMs: wall });
  return {
    ...(pause === null ? {} : { pause: { pause: { mode: pause.mode }, ...until(pause.until) } }),
    ...(override === null ? {} : { override: { replicas: override.replicas, ...until(override.until) } }),
  };
}
