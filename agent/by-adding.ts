// The second way in: a server that is added for the app and deleted after it, in a backend without a template.
import { claimServer } from '../shared/haproxy/claim-server.ts';
import { commands } from '../shared/haproxy/commands.ts';
import { isDeleted } from '../shared/haproxy/delete-server.ts';
import { findDynamicBackend } from '../shared/haproxy/find-dynamic-backend.ts';
import { releaseSlot } from '../shared/haproxy/release.ts';
import { parseServersState, parseStat, type ServerRow } from '../shared/haproxy/servers-state.ts';
import type { SlotContext } from '../shared/haproxy/slot-write.ts';
import { slotsOf } from '../shared/haproxy/slots.ts';
import { answers } from './leftovers.ts';
import { isLong, planSweep } from './plan-sweep.ts';
import type { WayIn, WayInSettings } from './way-in.ts';

type Settings = WayInSettings & { parameters: string };

/** So many are probed side by side. */
const probesAtOnce = 50;

/** `isAlive`: whether something takes connections there. */
export function byAdding(
  { backend: given, slotPrefix: prefix, parameters }: Settings,
  isAlive: typeof answers = answers,
): WayIn {
  return {
    find: async (api, rows, signal) => {
      if (given !== undefined) return { backend: given, dynamic: true };
      const { replies } = await api.transact([commands.showStat()], signal);
      const stats = replies.flatMap((reply) => parseStat(reply));
      return { backend: findDynamicBackend(stats, rows), dynamic: true };
    },
    claim: (context, { backend }, app, { state }) =>
      claimServer(context, app, { backend, prefix, parameters, state }),
    sweep: async (context, own, attended, tell) => {
      const { api, signal } = context;
      const { replies } = await api.transact([commands.showServersState(own.backend)], signal);
      const all = replies.flatMap((reply) => parseServersState(reply));
      const rows = slotsOf(all, { backend: own.backend, dynamic: true });
      const sweep = planSweep(rows, own, attended);
      const dead = [...sweep.dead];
      for (let first = 0; first < sweep.doubtful.length; first += probesAtOnce) {
        const some = sweep.doubtful.slice(first, first + probesAtOnce);
        const alive = await Promise.all(some.map((row) => isAlive(row, signal)));
        // A probe that was cut short says nothing.
        signal.throwIfAborted();
        dead.push(...some.filter((_, index) => alive[index] !== true));
      }
      for (const row of dead) {
        if (await releaseSlot(context, row, row, isLong))
          tell('slot.released', row, `nothing has been there for ${row.secondsSinceChange} s`);
      }
      return (await deleteAll(context, sweep.given)) < sweep.given.length;
    },
  };
}

/** Returns how many are gone. */
async function deleteAll({ api, signal }: SlotContext, rows: readonly ServerRow[]): Promise<number> {
  if (rows.length === 0) return 0;
  const batch = rows.map((row) => commands.deleteServer(row));
  const { replies } = await api.transact(batch, signal);
  return batch.filter((command, index) => {
    const reply = replies[index];
    return reply !== undefined && isDeleted(reply, command);
  }).length;
}
