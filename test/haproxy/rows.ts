// Rows of `show servers state` for tests, as HAProxy would show them.
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';

/** What `srv_admin_state` is for a slot of a `disabled` template (HAPROXY.md, "Slots"). */
export const admin = { maint: 5, ready: 4, drain: 12, noAddress: 0x25 };

const placeholder = { address: '127.0.0.1', port: 3128 };

/** An untouched slot of `server-template node 1-N localhost:3128 check disabled`, changed by `fields`. */
export function slotRow(name: string, fields: Partial<ServerRow> = {}): ServerRow {
  const adminState = fields.adminState ?? admin.maint;
  return {
    backend: 'app',
    name,
    backendId: 3,
    serverId: Number(/\d+$/.exec(name)?.[0] ?? 1),
    ...placeholder,
    operationalState: (adminState & 0x23) !== 0 ? 0 : 2,
    adminState,
    checkResult: 0,
    checkState: 6,
    templated: true,
    secondsSinceChange: 10,
    ...fields,
  };
}

export function slotRows(count: number, fields: Partial<ServerRow> = {}): ServerRow[] {
  return Array.from({ length: count }, (_, index) => slotRow(`node${index + 1}`, fields));
}

/** A plain `server NAME ADDRESS:PORT` of haproxy.cfg, in traffic. */
export function staticRow(name: string, fields: Partial<ServerRow> = {}): ServerRow {
  return slotRow(name, { templated: false, adminState: 0, address: '10.0.0.5', port: 80, ...fields });
}

/** A lock row on `slot` that is `age` seconds old. */
export function lockRow(slot: string, age: number, fields: Partial<ServerRow> = {}): ServerRow {
  const lock = { templated: false, adminState: 1, address: '127.0.0.1', port: 1, secondsSinceChange: age };
  return slotRow(`claim.${slot}`, { ...lock, ...fields });
}
