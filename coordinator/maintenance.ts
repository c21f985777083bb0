// What is done once in a while: ask the database whether it is there, and delete audit rows that are old enough.
import type { Clock } from '../shared/clock.ts';
import { describeError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import type { Audit } from './audit/audit.ts';
import type { Store } from './store/store.ts';

const probeEveryMs = 5000;
const deleteEveryMs = 3_600_000;

export interface MaintenanceOptions {
  store: Store;
  audit: Audit;
  auditKeepMs: number;
  log: Log;
  clock: Clock;
}

/** Until aborted. */
export async function maintain(options: MaintenanceOptions, signal: AbortSignal): Promise<void> {
  const { store, audit, auditKeepMs, log, clock } = options;
  for (let deleteAt = clock.monotonic(); !signal.aborted; await clock.sleep(probeEveryMs, signal)) {
    try {
      await store.probe();
      if (clock.monotonic() < deleteAt) continue;
      const deleted = await audit.deleteBefore(clock.wall() - auditKeepMs, signal);
      if (deleted > 0)
        log.info({ event: 'audit.trimmed', rows: deleted }, `${deleted} old audit rows deleted`);
      deleteAt = clock.monotonic() + deleteEveryMs;
    } catch (error) {
      // The store remembers the failure for /readyz, and is asked again.
      log.debug({ event: 'database.away', error: describeError(error) }, 'the database does not answer');
    }
  }
}
