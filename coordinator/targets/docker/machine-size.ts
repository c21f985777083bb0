// What the machine of a Docker host has, asked now and then: it hardly ever changes. Where it cannot be asked (a socket
// proxy that does not let `/info` through) it is not known, and then no room is counted on that host, and its clock is
// taken to be right.
import type { Clock } from '../../../shared/clock.ts';
import { BerthError, describeError } from '../../../shared/errors.ts';
import type { Log } from '../../../shared/log.ts';
import { callWithDeadline } from './call-deadline.ts';
import type { DockerClient } from './client.ts';
import { isUnavailable } from './docker-error.ts';
import { nothingReserved, type Reservation } from './reservation.ts';

const freshMs = 60_000;
/** A look at the host waits for it, so not for long. */
const deadlineMs = 2000;

export class MachineSize {
  readonly #client: Pick<DockerClient, 'host' | 'machine'>;
  readonly #clock: Clock;
  readonly #log: Log;
  #size: Reservation = nothingReserved;
  #clockAheadMs = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;

  constructor(client: Pick<DockerClient, 'host' | 'machine'>, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** As last heard; asked again when that is a while ago. Rejects only with the reason of `signal`. */
  async read(signal: AbortSignal): Promise<Reservation> {
    const now = this.#clock.monotonic();
    if (now - this.#askedAt < freshMs) return this.#size;
    this.#askedAt = now;
    const late = () => new BerthError('docker.unavailable', `no answer within ${deadlineMs} ms`);
    const from = this.#clock.wall();
    try {
      const { clock, ...size } = await callWithDeadline(deadlineMs, signal, late, (within) =>
        this.#client.machine(within),
      );
      this.#size = size;
      // It was read somewhere between the question and the answer.
      if (clock !== undefined) this.#clockAheadMs = clock - (from + this.#clock.wall()) / 2;
      this.#failure = undefined;
    } catch (error) {
      signal.throwIfAborted();
      this.#report(error);
    }
    return this.#size;
  }

  /** By how much the host's clock is ahead of ours, as last heard. */
  get clockAheadMs(): number {
    return this.#clockAheadMs;
  }

  /** The host is away or has been: the next look asks again. */
  forget(): void {
    this.#askedAt = Number.NEGATIVE_INFINITY;
  }

  #report(error: unknown): void {
    const { host } = this.#client;
    // That the host is away is told by the listing, which fails as well.
    if (isUnavailable(error) || this.#failure === describeError(error)) return;
    this.#failure = describeError(error);
    this.#log.warn(
      { event: 'docker.size-unknown', host, error: this.#failure },
      `what the machine of ${host} has is not known, so room on it is not counted`,
    );
  }
}
