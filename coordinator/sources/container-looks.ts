// One look at a container for all who ask at about the same time. CPU and memory come in one answer, and an engine that
// is asked again within about a second makes the second answer wait for one (measured on 20.10: 25 ms, then 1,000 ms).
import type { Clock } from '../../shared/clock.ts';
import type { ContainerStats, ContainerStatsReader } from './container-stats.ts';
import { type ReadWhen, SharedRead } from './shared-read.ts';

type Look = SharedRead<ContainerStats | undefined>;

const forgetAfterMs = 10 * 60_000;
const forgetEveryMs = 60_000;

export class ContainerLooks {
  readonly #reader: ContainerStatsReader;
  readonly #clock: Clock;
  readonly #looks = new Map<string, { readonly look: Look; usedAt: number }>();
  #forgetNext = 0;

  constructor(reader: ContainerStatsReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  /** Undefined for a container that does not run. @throws as ContainerStatsReader */
  async look(id: string, when: ReadWhen): Promise<ContainerStats | undefined> {
    const now = this.#clock.monotonic();
    this.#forget(now);
    const known = this.#looks.get(id) ?? { look: this.#lookAt(id), usedAt: now };
    known.usedAt = now;
    this.#looks.set(id, known);
    return (await known.look.get(when)).value;
  }

  #lookAt(id: string): Look {
    return new SharedRead(this.#clock, ({ signal }) => this.#reader.containerStats(id, signal));
  }

  #forget(now: number): void {
    if (now < this.#forgetNext) return;
    this.#forgetNext = now + forgetEveryMs;
    for (const [id, { usedAt }] of this.#looks) if (now - usedAt > forgetAfterMs) this.#looks.delete(id);
  }
}
