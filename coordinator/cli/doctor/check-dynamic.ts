// What can be wrong with an HAProxy to which agents in dynamic mode add servers. Pure.
import { describeError, isBerthError } from '../../../shared/errors.ts';
import { dynamicAlgorithms, isDynamic } from '../../../shared/haproxy/dynamic-servers.ts';
import { findDynamicBackend } from '../../../shared/haproxy/find-dynamic-backend.ts';
import type { ServerRow, StatRow } from '../../../shared/haproxy/servers-state.ts';
import { isSlot, slotsOf } from '../../../shared/haproxy/slots.ts';
import { broken, doubtful, type Finding, fine } from './finding.ts';

/** Bit 0x02 of srv_check_state: the server was added with `check`. */
const checkConfigured = 0x02;

/** Backends in which there are such servers now. */
export const dynamicBackends = (rows: readonly ServerRow[]): string[] => [
  ...new Set(rows.filter((row) => isSlot(row) && isDynamic(row)).map(({ backend }) => backend)),
];

/** `wanted` is HAPROXY_BACKEND; `at` names a check. */
export function checkDynamic(
  at: (what: string) => string,
  rows: readonly ServerRow[],
  stats: readonly StatRow[],
  wanted: string | undefined,
): Finding[] {
  const known = wanted === undefined ? dynamicBackends(rows) : [wanted];
  try {
    const backends = known.length > 0 ? known : [findDynamicBackend(stats, rows)];
    return backends.flatMap((backend) => checkBackend(at(`backend ${backend}`), backend, rows, stats));
  } catch (error) {
    const mend = isBerthError(error) ? (error.hint ?? '') : '';
    const seen = isBerthError(error) ? error.message : describeError(error);
    return [broken(at('dynamic servers'), seen, mend)];
  }
}

function checkBackend(
  check: string,
  backend: string,
  rows: readonly ServerRow[],
  stats: readonly StatRow[],
): Finding[] {
  const all = stats.filter((row) => row['svname'] === 'BACKEND');
  const own = all.find((row) => row['pxname'] === backend);
  if (own === undefined) {
    const names = all.map((row) => row['pxname']).join(', ') || 'none';
    const mend = 'set HAPROXY_BACKEND to one of them, or add that backend to haproxy.cfg';
    return [broken(check, `HAProxy has no such backend; it has: ${names}`, mend)];
  }
  const algorithm = own['algo'] ?? '';
  if (algorithm !== '' && !dynamicAlgorithms.has(algorithm)) {
    return [
      broken(
        check,
        `it is balanced by ${algorithm}, which takes no servers at run time`,
        'use `balance roundrobin`, `leastconn` or `random` there, or a server-template and NODE_COUNT',
      ),
    ];
  }
  const servers = slotsOf(rows, { backend, dynamic: true });
  const unchecked = servers.filter((row) => (row.checkState & checkConfigured) === 0);
  if (unchecked.length > 0) {
    return [
      doubtful(
        check,
        `${unchecked.length} of its servers are not checked, such as ${unchecked[0]?.name}: an instance that hangs stays in traffic`,
        "add `check inter 5s` to the agents' HAPROXY_SERVER_PARAMETERS",
      ),
    ];
  }
  return [fine(check, `takes servers at run time, has ${servers.length}`)];
}
