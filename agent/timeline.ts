// What happened to this instance, for the coordinator's audit: kept until a heartbeat has carried it, the oldest is
// dropped when nobody listens for long.
import type { Clock } from '../shared/clock.ts';
import type { AgentEvent } from '../shared/protocol.ts';
import { maxReasonLength } from '../shared/protocol-terms.ts';

export type TimelineEntry = Omit<AgentEvent, 'ageMs'>;

const most = 100;

export class Timeline {
  readonly #clock: Clock;
  #events: { event: AgentEvent; at: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(event: TimelineEntry): void {
    this.#events.push({ event: { ...event, ageMs: 0 }, at: this.#clock.monotonic() });
    if (this.#events.length > most) this.#events.shift();
  }

  /** All events with their ages, which are then forgotten. */
  take(): AgentEvent[] {
    const now = this.#clock.monotonic();
    const taken = this.#events.map(({ event, at }) => ({
      ...event,
      ageMs: Math.round(now - at),
      ...(event.reason === undefined ? {} : { reason: event.reason.slice(0, maxReasonLength) }),
    }));
    this.#events = [];
    return taken;
  }
}
