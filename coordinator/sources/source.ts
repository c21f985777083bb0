// What a metric source is, and what sources may use. A source is made once for each distinct configuration and read at
// every tick; it may keep what it saw before (a rate needs two looks), and it holds nothing open between two reads.
import type { Clock } from '../../shared/clock.ts';
import type { Reading } from '../decide/observation.ts';
import type { ContainerLooks } from './container-looks.ts';
import type { ContainerStatsReader } from './container-stats.ts';
import type { HaproxyLoads, NamedRuntimeApi } from './haproxy-loads.ts';
import type { HttpClient } from './http-client.ts';
import type { PushedMetrics } from './pushed-metrics.ts';

export interface ReadContext {
  /** Aborts at the deadline (with a TimeoutError as its reason) and when the coordinator stops. */
  readonly signal: AbortSignal;
  /** Time for the whole read, in milliseconds, for what can't be given a signal. */
  readonly deadlineMs: number;
  /** An answer that somebody else got may be used when it is at most this old, in milliseconds. */
  readonly freshMs: number;
  readonly clock: Clock;
}

export interface Source {
  /** Reads once. @throws ReadingError, BerthError of HAProxy or Docker, or the signal's reason */
  read(context: ReadContext): Promise<Reading>;
}

/** Whose metric it is. */
export interface SourceTarget {
  readonly service: string;
  /** The service's own backend in HAProxy. */
  readonly backend: string;
}

/** An instance as the decision knows it, and the names under which sources may speak of it. */
export interface SourceInstance {
  readonly id: string;
  /** Agent id, container id (long and short), container name, address:port. */
  readonly names: readonly string[];
  /** Its container, for Docker's numbers. */
  readonly container?: string;
}

/** What one agent reported last; `at` is monotonic. */
export interface AgentMetrics {
  readonly id: string;
  readonly service: string | undefined;
  readonly metrics: Readonly<Record<string, { readonly value: number; readonly at: number }>>;
}

/** Where sources get at the rest of the coordinator. */
export interface SourceDependencies {
  /** Every HAProxy that is configured, also those that are away. */
  haproxys(): readonly NamedRuntimeApi[];
  agents(): readonly AgentMetrics[];
  /** The instances of a service that count now. */
  instances(service: string): readonly SourceInstance[];
  readonly containers: ContainerStatsReader;
  readonly pushed: PushedMetrics;
}

/** What every source is made with. */
export interface SourceParts extends SourceDependencies {
  readonly http: HttpClient;
  readonly loads: HaproxyLoads;
  readonly looks: ContainerLooks;
}

/** For each part of a read that has several: it ends before the whole, so that what answered is not lost with the rest. */
export function partOf(context: ReadContext): ReadContext {
  return { ...context, deadlineMs: context.deadlineMs * 0.8 };
}

/** Instance ids by each of their names. */
export function idsByName(instances: readonly SourceInstance[]): ReadonlyMap<string, string> {
  return new Map(
    instances.flatMap(({ id, names }) => [id, ...names].map((name): [string, string] => [name, id])),
  );
}
