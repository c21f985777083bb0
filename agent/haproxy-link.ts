// The instance's tie to one HAProxy: the registration there, and the readiness probe of the very address that is
// registered there. With several networks the addresses differ, and so may the verdicts.
import type { Clock } from '../shared/clock.ts';
import { defaultParameters } from '../shared/haproxy/dynamic-servers.ts';
import type { Endpoint } from '../shared/haproxy/endpoint.ts';
import type { Log } from '../shared/log.ts';
import type { RegistrationReport } from '../shared/protocol.ts';
import { Wakeup } from '../shared/wakeup.ts';
import type { Config } from './config.ts';
import type { DrainResult } from './drain-until-idle.ts';
import { localAddress } from './local-address.ts';
import { findLoopbackListener } from './loopback-hint.ts';
import type { Attempt, ProbeTarget } from './probe-attempt.ts';
import { initialProbeState, type ProbeState } from './probe-state.ts';
import { Prober } from './prober.ts';
import { Registration } from './registration.ts';
import type { TimelineEntry } from './timeline.ts';
import { decideWanted, type Situation } from './wanted.ts';

const hintEveryMs = 500;
const contactMs = 100;

export interface HaproxyLinkHooks {
  log: Log;
  clock: Clock;
  /** Readiness, the address, the slot or its state has changed. */
  onChange(): void;
  onEvent(event: TimelineEntry): void;
}

export class HaproxyLink {
  readonly registration: Registration;
  readonly #prober: Prober;
  readonly #hooks: HaproxyLinkHooks;
  readonly #signal: AbortSignal;
  readonly #contact = new Wakeup();
  readonly #running: Promise<unknown>;
  /** When to look again for an app that listens on loopback only; undefined once that was said. */
  #hintAt: number | undefined;

  constructor(
    endpoint: Endpoint,
    config: Config,
    agentId: string,
    hooks: HaproxyLinkHooks,
    signal: AbortSignal,
  ) {
    this.#hooks = hooks;
    this.#signal = signal;
    this.#hintAt = hooks.clock.monotonic() + hintEveryMs;
    const { mode, nodeCount, slotPrefix, backend, gate } = config.haproxy;
    const parameters = mode === 'dynamic' ? (config.haproxy.parameters ?? defaultParameters) : undefined;
    const { port, host } = config.app;
    const stateFile = `${config.agent.stateDirectory}/berth-${agentId}`;
    this.registration = new Registration(
      { endpoint, nodeCount, slotPrefix, backend, parameters, port, host, id: agentId, gate, stateFile },
      {
        log: hooks.log,
        clock: hooks.clock,
        onChange: () => {
          this.#contact.wake();
          if (this.registration.address !== this.#prober.probed?.address) this.#prober.wake();
          hooks.onChange();
        },
        onEvent: (event) => hooks.onEvent(event),
      },
    );
    this.#prober = new Prober(
      config.ready,
      () => this.target,
      hooks.clock,
      (_, attempt) => this.#onProbe(attempt),
    );
    this.#running = Promise.all([this.registration.run(signal), this.#probe(signal)]);
  }

  /** Where the app is expected: the registered address once it is known. */
  get target(): ProbeTarget {
    const { address } = this.registration;
    const port = this.registration.report().port;
    return { address: address ?? localAddress(), port };
  }

  /** What is known of the address that is registered; nothing yet while that is not known. */
  get readiness(): ProbeState {
    return this.#prober.state;
  }

  /** HAProxy has told what it has of this app, or is in trouble. */
  get arrived(): boolean {
    return this.registration.looked || this.report().error !== undefined;
  }

  report(): RegistrationReport {
    return this.registration.report();
  }

  /** Hands on what should be now. */
  apply(situation: Situation): void {
    const certain = this.#prober.probed?.address === this.registration.address;
    const { wanted, reason } = decideWanted(situation, certain ? this.readiness : initialProbeState);
    this.registration.want(wanted, reason);
  }

  drained(deadlineMs: number, signal: AbortSignal): Promise<DrainResult> {
    return this.registration.drained(deadlineMs, signal);
  }

  /** Out of traffic at once, then the slot is given back. Resolves when that is done, or `signal` has aborted. */
  async end(reason: string): Promise<void> {
    this.#prober.stop();
    this.registration.want('gone', reason);
    await this.#running;
  }

  /** Probing begins when HAProxy has told the address, or has not within a moment. */
  async #probe(signal: AbortSignal): Promise<void> {
    if (this.registration.address === undefined)
      await this.#contact.sleep(this.#hooks.clock, contactMs, signal);
    await this.#prober.run(signal);
  }

  #onProbe(attempt: Attempt): void {
    if (!attempt.ok && attempt.refused && !this.readiness.everOk) void this.#hint();
    this.#hooks.onChange();
  }

  async #hint(): Promise<void> {
    const now = this.#hooks.clock.monotonic();
    if (this.#hintAt === undefined || now < this.#hintAt) return;
    this.#hintAt = now + hintEveryMs;
    const { target } = this;
    const hint = await findLoopbackListener(target, this.#signal);
    if (hint === undefined || this.#hintAt === undefined) return;
    this.#hintAt = undefined;
    this.#hooks.log.warn({ event: 'app.unreachable', address: target.address, port: target.port }, hint);
    this.#hooks.onEvent({ event: 'app.unreachable', reason: hint });
  }
}
