// What of other apps' servers is left behind in dynamic mode. Nobody runs out of such rows, so nothing of the dead may
// stay for ever. A mistake costs little: the agent of an app that lives adds its server again at its next look. Pure.
//
//   given back                                      delete it
//   in traffic, and down for long                   dead; a coordinator sees to it by rules of its own
//   in drain or maintenance, unchanged for long     an operator's, or a spare's, unless nothing answers there at all
import type { ServerName } from '../shared/haproxy/commands.ts';
import type { ServerRow } from '../shared/haproxy/servers-state.ts';
import { freeSlots, isDown, isEnabled, isInMaintenance } from '../shared/haproxy/slots.ts';

/** As long as a coordinator waits before it takes a slot whose owner it has never heard of. */
export const longSeconds = 300;

export interface Sweep {
  given: ServerRow[];
  dead: ServerRow[];
  /** Dead if nothing answers at their address. A container that is paused still takes connections. */
  doubtful: ServerRow[];
}

/** `rows` are the dynamic servers of one backend. */
export function planSweep(rows: readonly ServerRow[], own: ServerName, attended: boolean): Sweep {
  const given = freeSlots(rows);
  const others = rows.filter((row) => !given.includes(row) && row.name !== own.name && isLong(row));
  return {
    given,
    dead: attended ? [] : others.filter((row) => isEnabled(row) && isDown(row)),
    doubtful: others.filter((row) => isInMaintenance(row) || (!isEnabled(row) && isDown(row))),
  };
}

/** Also asked again under the lock. */
export const isLong = (row: ServerRow): boolean => row.secondsSinceChange >= longSeconds;
