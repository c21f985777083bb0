// A fault of the agent's own must not keep the app from its signal, nor the agent from its end.
import { describeError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';

/** Waits for `work`, and reports its fault instead of throwing it. */
export async function guarded(work: Promise<void>, log: Log): Promise<void> {
  try {
    await work;
  } catch (error) {
    log.error({ event: 'agent.faulted', error: describeError(error) }, 'a fault in the agent');
  }
}
