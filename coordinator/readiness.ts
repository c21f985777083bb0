// What must be well for the coordinator to do its work, each with what is seen. Pure: `/readyz` shows it, and the
// doctor reads it there.
import type { ReadinessCheck } from './api/api-context.ts';
import type { AuditStatus } from './audit/audit-writer.ts';
import type { HaproxyView } from './slots/slot-view.ts';
import type { StoreFailure } from './store/store.ts';
import type { HostObservation } from './targets/docker/observation.ts';

export interface ReadinessInputs {
  databaseName: string;
  databaseFailure: StoreFailure | undefined;
  audit: AuditStatus;
  haproxys: readonly HaproxyView[];
  /** Monotonic time of each reachable HAProxy's last look, by name. */
  lastLooks: ReadonlyMap<string, number | undefined>;
  observeMs: number;
  now: number;
  dockerHosts: readonly HostObservation[];
  /** Policies whose loop does not come to an end. */
  stuckPolicies: readonly { policy: string; ageMs: number }[];
}

const leastStallMs = 5000;

export function checkReadiness(inputs: ReadinessInputs): ReadinessCheck[] {
  const { haproxys } = inputs;
  const none = { name: 'haproxy', ok: false, reason: 'no HAProxy has been found yet' };
  return [
    database(inputs),
    audit(inputs.audit),
    ...(haproxys.length === 0 ? [none] : haproxys.map((view) => haproxy(view, inputs))),
    ...(inputs.dockerHosts.length === 0 ? [noDocker] : inputs.dockerHosts.map(docker)),
    ...inputs.stuckPolicies.map(({ policy, ageMs }) => ({
      name: `policy ${policy}`,
      ok: false,
      reason: `it was last evaluated ${Math.round(ageMs / 1000)} s ago: its loop hangs`,
    })),
  ];
}

/** No fault: agents and slots need none. */
const noDocker = {
  name: 'docker',
  ok: true,
  reason: 'no Docker Engine was found, so nothing is started or stopped; it is looked for again and again',
};

function docker(view: HostObservation): ReadinessCheck {
  const name = `docker ${view.host}`;
  if (view.known) return { name, ok: true, reason: `${view.instances.length} instances` };
  const since = new Date(view.since).toISOString();
  return {
    name,
    ok: false,
    reason: `it does not answer since ${since}, so nothing is started or stopped there: ${view.error.message}`,
  };
}

function database({ databaseName, databaseFailure }: ReadinessInputs): ReadinessCheck {
  if (databaseFailure === undefined) return { name: 'database', ok: true, reason: `${databaseName} answers` };
  const since = new Date(databaseFailure.since).toISOString();
  return {
    name: 'database',
    ok: false,
    reason: `${databaseName} fails since ${since}: ${databaseFailure.reason}`,
  };
}

function audit(status: AuditStatus): ReadinessCheck {
  const { queued, journalledBytes, reason } = status;
  if (reason === undefined) return { name: 'audit', ok: true, reason: 'no row waits' };
  const waiting = `${queued} rows wait in memory and ${journalledBytes} bytes in the journal`;
  return { name: 'audit', ok: false, reason: `${waiting}: ${reason}` };
}

function haproxy(view: HaproxyView, { lastLooks, observeMs, now }: ReadinessInputs): ReadinessCheck {
  const name = `haproxy ${view.name}`;
  if (!view.reachable) return { name, ok: false, reason: view.error ?? 'it does not answer' };
  const stallMs = Math.max(leastStallMs, 20 * observeMs);
  const lookedAt = lastLooks.get(view.name);
  if (lookedAt === undefined || now - lookedAt > stallMs) {
    const ago = lookedAt === undefined ? 'never' : `${Math.round((now - lookedAt) / 1000)} s ago`;
    return { name, ok: false, reason: `it was last looked at ${ago}: the loop does not run` };
  }
  if (view.slots === 0) {
    return { name, ok: false, reason: 'it has no slots; run `berth doctor`' };
  }
  return { name, ok: true, reason: `version ${view.version}, ${view.slots} slots, ${view.free} free` };
}
