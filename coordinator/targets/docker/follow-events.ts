// Keeps a subscription to the engine's events, with growing pauses between attempts. Events are hints: whoever listens
// looks again after each subscription, so that what happened in a gap is seen all the same.
import type { Clock } from '../../../shared/clock.ts';
import { describeError } from '../../../shared/errors.ts';
import type { Log } from '../../../shared/log.ts';
import type { DockerClient } from './client.ts';
import type { DockerEvent } from './read-events.ts';

export interface EventHooks {
  readonly clock: Clock;
  readonly log: Log;
  /** Begins an attempt; its signal aborts when the attempt should be given up, and another made. */
  attempt(): AbortSignal;
  /** The engine has taken a subscription. */
  subscribed(): void;
  event(event: DockerEvent): void;
  /** From 0 to 1, to spread attempts; tests give their own. */
  random(): number;
}

const firstPauseMs = 100;
const longestPauseMs = 5000;

/** Between half of the doubled pause and all of it. */
export function choosePause(failures: number, random: number): number {
  const whole = Math.min(firstPauseMs * 2 ** (failures - 1), longestPauseMs);
  return whole / 2 + (whole / 2) * random;
}

/** Until aborted. */
export async function followEvents(
  client: DockerClient,
  hooks: EventHooks,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = hooks;
  let since: number | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let reason = 'the engine ended the stream';
    try {
      const events = await client.events(since, AbortSignal.any([signal, hooks.attempt()]));
      if (failures > 0)
        log.info(
          { event: 'docker.events-resumed', host: client.host, since },
          `events of ${client.host} are back`,
        );
      failures = 0;
      hooks.subscribed();
      for await (const event of events) {
        since = event.seconds;
        hooks.event(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      reason = describeError(error);
    }
    failures += 1;
    if (failures === 1)
      log.warn(
        { event: 'docker.events-lost', host: client.host, reason },
        `events of ${client.host}: ${reason}`,
      );
    await clock.sleep(choosePause(failures, hooks.random()), signal);
  }
}
