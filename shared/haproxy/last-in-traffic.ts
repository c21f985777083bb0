// When the readiness probes of all instances fail together, the fault is more likely in the probe or in what it asks than
// in every app at once, and an app that answers badly serves better than none: the last one of a backend stays in traffic.
import type { ServerName } from './commands.ts';
import type { ServerRow } from './servers-state.ts';
import { isDown, isEnabled, isInMaintenance } from './slots.ts';

const none: ReadonlySet<ServerRow> = new Set();

/**
 * Whether no other server of the backend takes traffic, though there are others that could; `leaving` are about not to.
 * An instance that is alone is not the last of several: its probe counts as it is.
 */
export function isLastInTraffic(
  rows: readonly ServerRow[],
  own: ServerName,
  leaving: ReadonlySet<ServerRow> = none,
): boolean {
  const others = rows.filter(
    (row) => row.backend === own.backend && row.name !== own.name && !isInMaintenance(row),
  );
  return others.length > 0 && !others.some((row) => isEnabled(row) && !isDown(row) && !leaving.has(row));
}
