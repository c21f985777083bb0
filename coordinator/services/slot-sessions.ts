// How many sessions every slot has, over all HAProxys: what tells when a drain is over and which instance is idle. Read
// only while somebody needs it, since it is a row of CSV for each slot.
import { commands } from '../../shared/haproxy/commands.ts';
import type { RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseStat, statNumber } from '../../shared/haproxy/servers-state.ts';

/**
 * Sessions with the queue and the connections in use, by `address:port`. Undefined when a HAProxy did not answer: a sum
 * with a part missing would look idle.
 */
export type SlotSessions = ReadonlyMap<string, number> | undefined;

export async function readSlotSessions(
  apis: readonly RuntimeApi[],
  signal: AbortSignal,
): Promise<SlotSessions> {
  try {
    const sums = new Map<string, number>();
    const transactions = await Promise.all(apis.map((api) => api.transact([commands.showStat()], signal)));
    for (const { replies } of transactions) {
      const [reply] = replies;
      if (reply === undefined) return undefined;
      for (const row of parseStat(reply)) {
        const address = row['addr'];
        if (row['type'] !== '2' || address === undefined || address === '') continue;
        const key = address.replace(/^\[(.*)\]:/, '$1:');
        const count = (column: string) => statNumber(row, column) ?? 0;
        sums.set(key, (sums.get(key) ?? 0) + count('scur') + count('qcur') + count('used_conn_cur'));
      }
    }
    return sums;
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}
