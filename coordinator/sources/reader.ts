// Reads all sources of a tick at once.
//
//   request ──► the source of its configuration ──► a read under way or fresh? ──► that one
//                                                    └ else: a place in the peer's pool ──► read, until the deadline
//
// Each read has its own deadline and each peer its own pool, so a source that hangs delays no other, and a thousand
// policies don't open a thousand connections to one Prometheus. Time in the pool's queue counts toward the deadline.
// Who asks gets a reading for every name, or the signal's reason when the signal ends it.
import type { Clock } from '../../shared/clock.ts';
import type { Reading } from '../decide/observation.ts';
import type { SourceConfig } from '../policy/source-schema.ts';
import { ContainerLooks } from './container-looks.ts';
import { createSource, poolKey, sourceKey, sourceLabel } from './create-source.ts';
import { HaproxyLoads } from './haproxy-loads.ts';
import { HttpClient } from './http-client.ts';
import { Pool } from './pool.ts';
import { failedReading, isTimeout } from './reading-error.ts';
import { type ReadWhen, SharedRead } from './shared-read.ts';
import type { SourceDependencies, SourceParts, SourceTarget } from './source.ts';

export interface SourceRequest {
  /** The metric's name in its policy. */
  readonly name: string;
  readonly source: SourceConfig;
  readonly target: SourceTarget;
}

export interface ReadOptions {
  /** Of the policy that asks: it bounds the deadline and how old a shared answer may be. */
  readonly intervalMs: number;
  readonly signal: AbortSignal;
}

interface Known {
  readonly shared: SharedRead<Reading>;
  /** Monotonic. */
  forgetAt: number;
}

const maxDeadlineMs = 5000;
const maxFreshMs = 1000;
const placesInPool = 16;
/** A source keeps what it saw for this long after its last use, and for at least some intervals of its policy. */
const keptMs = 15 * 60_000;
const keptIntervals = 4;
const forgetEveryMs = 60_000;

export class SourceReader {
  readonly #clock: Clock;
  readonly #parts: SourceParts;
  readonly #stopped = new AbortController();
  readonly #known = new Map<string, Known>();
  readonly #pools = new Map<string, Pool>();
  #forgetNext = 0;

  constructor(dependencies: SourceDependencies, clock: Clock) {
    this.#clock = clock;
    const loads = new HaproxyLoads(() => dependencies.haproxys(), clock);
    const looks = new ContainerLooks(dependencies.containers, clock);
    this.#parts = { ...dependencies, loads, looks, http: new HttpClient() };
  }

  /** Never fails because of a source. @throws the reason of `signal`; or of the reader's end */
  async readAll(
    requests: readonly SourceRequest[],
    { intervalMs, signal }: ReadOptions,
  ): Promise<Record<string, Reading>> {
    this.#forget();
    this.#stopped.signal.throwIfAborted();
    const readings = await Promise.all(
      requests.map(
        async (request) => [request.name, await this.#readOne(request, intervalMs, signal)] as const,
      ),
    );
    return Object.fromEntries(readings);
  }

  /** Ends what is under way; nothing can be read afterwards. */
  async close(): Promise<void> {
    this.#stopped.abort(new DOMException('the coordinator stops', 'AbortError'));
    this.#known.clear();
    await this.#parts.http.close();
  }

  async #readOne(
    { source, target }: SourceRequest,
    intervalMs: number,
    signal: AbortSignal,
  ): Promise<Reading> {
    const timeout = 'timeout' in source ? source.timeout : undefined;
    const deadlineMs = timeout ?? Math.min(maxDeadlineMs, intervalMs / 2);
    const freshMs = Math.min(maxFreshMs, intervalMs / 4);
    const key = sourceKey(source, target);
    const known = this.#known.get(key) ?? { shared: this.#share(source, target), forgetAt: 0 };
    known.forgetAt = this.#clock.monotonic() + Math.max(keptMs, keptIntervals * intervalMs);
    this.#known.set(key, known);
    try {
      const { value, ageMs } = await known.shared.get({ signal, deadlineMs, freshMs });
      return aged(value, ageMs);
    } catch (error) {
      if (signal.aborted || !isTimeout(error)) throw error;
      const failed = failedReading(error);
      return { ...failed, message: `${sourceLabel(source, target)}: ${failed.message}` };
    }
  }

  #share(source: SourceConfig, target: SourceTarget): SharedRead<Reading> {
    const made = createSource(source, target, this.#parts);
    const pool = this.#poolOf(source);
    const readWhen = (when: ReadWhen) => {
      const read = () => made.read({ ...when, clock: this.#clock });
      return pool === undefined ? read() : pool.run(when.signal, read);
    };
    return new SharedRead(this.#clock, readWhen, this.#stopped.signal);
  }

  #poolOf(source: SourceConfig): Pool | undefined {
    const key = poolKey(source);
    if (key === undefined) return undefined;
    const pool = this.#pools.get(key) ?? new Pool(placesInPool);
    this.#pools.set(key, pool);
    return pool;
  }

  #forget(): void {
    const now = this.#clock.monotonic();
    if (now < this.#forgetNext) return;
    this.#forgetNext = now + forgetEveryMs;
    for (const [key, { forgetAt }] of this.#known) if (forgetAt < now) this.#known.delete(key);
  }
}

/** The reading as it is this much later. */
function aged(reading: Reading, ms: number): Reading {
  if (!reading.ok || ms === 0) return reading;
  if (reading.shape === 'total') return { ...reading, ageMs: reading.ageMs + ms };
  const samples = Object.entries(reading.samples).map(
    ([id, sample]) => [id, { ...sample, ageMs: sample.ageMs + ms }] as const,
  );
  return { ...reading, samples: Object.fromEntries(samples) };
}
