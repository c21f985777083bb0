// Which backend is meant when HAPROXY_BACKEND is not set and there is no template to tell it: the only one that takes
// servers at run time and has none of its own. Pure.
import { BerthError } from '../errors.ts';
import { listSome } from '../list-some.ts';
import { dynamicAlgorithms, isDynamic } from './dynamic-servers.ts';
import { isLockRow } from './lock.ts';
import type { ServerRow, StatRow } from './servers-state.ts';
import { isSlot, sideBackend } from './slots.ts';

/**
 * `stats` and `rows` are of all backends.
 * @throws BerthError `slot.no-backend`, `slot.ambiguous-backend` (lists them)
 */
export function findDynamicBackend(stats: readonly StatRow[], rows: readonly ServerRow[]): string {
  const others = rows.filter((row) => !isLockRow(row) && !(isSlot(row) && isDynamic(row)));
  const occupied = new Set(others.map((row) => row.backend));
  const open = stats.flatMap((row) => {
    const { pxname = '', svname, algo = '' } = row;
    const takes = svname === 'BACKEND' && pxname !== sideBackend && dynamicAlgorithms.has(algo);
    return takes && !occupied.has(pxname) ? [pxname] : [];
  });
  const [only] = open;
  if (only !== undefined && open.length === 1) return only;
  if (open.length > 1)
    throw new BerthError('slot.ambiguous-backend', `several backends can take servers: ${listSome(open)}`, {
      hint: 'set HAPROXY_BACKEND to the one that is meant',
    });
  throw new BerthError(
    'slot.no-backend',
    'HAProxy has no backend without servers of its own that takes servers at run time',
    { hint: 'add a backend with `balance roundrobin` and no servers, or set HAPROXY_BACKEND' },
  );
}
