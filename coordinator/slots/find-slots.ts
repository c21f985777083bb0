// Which slots of one HAProxy Berth looks after: those of the templates whose prefix is configured or in use, in every
// backend that has such, and the servers that Berth itself adds, in every backend where one is or should be. Pure.
import { isDynamic } from '../../shared/haproxy/dynamic-servers.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import { countTemplates, isSlot, type Slots } from '../../shared/haproxy/slots.ts';
import type { SlotAgent } from './slot-world.ts';

/** `prefixes` are those that are configured. */
export function findSlots(
  rows: readonly ServerRow[],
  prefixes: readonly string[],
  agents: readonly SlotAgent[],
): Slots[] {
  const used = agents
    .filter(({ registration }) => registration.dynamic === undefined)
    .map(({ registration }) => registration.slot?.replace(/\d+$/, '') ?? '')
    .filter((prefix) => prefix !== '');
  const templates = [...new Set([...prefixes, ...used])].flatMap((prefix) =>
    [...countTemplates(rows, prefix)].map(([backend, count]): Slots => ({ backend, prefix, count })),
  );
  // After a restart there are none, and the agents tell where theirs were.
  const meant = agents.flatMap(({ registration: { dynamic, backend } }) =>
    dynamic === undefined || backend === undefined ? [] : [backend],
  );
  const added = rows.filter((row) => isDynamic(row) && isSlot(row)).map(({ backend }) => backend);
  return [
    ...templates,
    ...[...new Set([...added, ...meant])].map((backend): Slots => ({ backend, dynamic: true })),
  ];
}
