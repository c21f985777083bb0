// What the routes are made over.
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRegistry } from '../agents/registry.ts';
import type { Audit } from '../audit/audit.ts';
import type { HaproxyView, SlotView } from '../slots/slot-view.ts';
import type { EventStreams } from './event-streams.ts';

/** One thing that must be well for the coordinator to do its work. */
export interface ReadinessCheck {
  name: string;
  ok: boolean;
  /** Why it is not, or what is seen when it is. */
  reason: string;
}

export interface ApiContext {
  /** What callers must show; undefined: nothing, and only local callers are served. */
  token: string | undefined;
  /** `/metrics` needs no token. */
  metricsOpen: boolean;
  registry: AgentRegistry;
  slots: { slots(): readonly SlotView[]; haproxys(): readonly HaproxyView[] };
  audit: Audit;
  readiness(): readonly ReadinessCheck[];
  /** The Prometheus text. */
  metrics(): Promise<string>;
  streams: EventStreams;
  log: Log;
  clock: Clock;
}
