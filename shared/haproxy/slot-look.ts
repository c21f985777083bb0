// The cheap look at one slot: its row of `show stat <backend id> 4 <server id>`, some 400 bytes however many slots
// there are. It tells whose the slot is, whether it serves, and how many sessions it has.

import { isUnspecified } from './address.ts';
import type { ServerName } from './commands.ts';
import { type StatRow, statNumber } from './servers-state.ts';
import { type AppAddress, freeAddress } from './slots.ts';

export interface SlotLook {
  /** The row is this slot's, and its address is the app's. */
  mine: boolean;
  /** The address that it has; undefined when it is another server's row, or none. */
  at: AppAddress | undefined;
  /** Takes new traffic: administratively ready and not found down by a check. */
  serving: boolean;
  inMaintenance: boolean;
  /** In drain, as far as the row tells: a slot whose check failed shows as down. */
  draining: boolean;
  /**
   * HAProxy's check: passed, failed (or still to come), or not configured. A slot that changes hands keeps the last
   * owner's `L4OK` until its next check; until then its status has a counter (`DRAIN 1/3`). Measured on 2.6 to 3.2;
   * with `fall 1` there is no counter.
   */
  check: 'passed' | 'failed' | 'none';
  /** As HAProxy calls the result of its last check (`L4CON`); empty when it has none. */
  checkStatus: string;
  /** Requests in flight, queued for this slot, and connections in use; 0 means idle. */
  sessions: number;
  /** Takes traffic for a placeholder: HAProxy sends requests to itself. */
  misdirected: boolean;
}

/** `addr` of a stat row (`10.0.0.5:80`, `[::1]:80`) in parts; undefined when HAProxy shows none. */
export function parseStatAddress(text: string): AppAddress | undefined {
  const match = /^\[?([0-9A-Fa-f.:]+?)\]?:(\d+)$/.exec(text);
  return match?.[1] === undefined ? undefined : { address: match[1], port: Number(match[2]) };
}

/** Reads a slot's stat row; `row` undefined stands for "no such row any more". */
export function readSlotLook(row: StatRow | undefined, slot: ServerName, app: AppAddress): SlotLook {
  const status = row?.['status'] ?? '';
  const at = parseStatAddress(row?.['addr'] ?? '');
  const isSlot = row !== undefined && row['pxname'] === slot.backend && row['svname'] === slot.name;
  const inMaintenance = status.startsWith('MAINT');
  const checkStatus = (row?.['check_status'] ?? '').replace(/^\* /, '');
  const count = (column: string) => (row === undefined ? 0 : (statNumber(row, column) ?? 0));
  const isPlaceholder =
    at !== undefined &&
    at.address !== app.address &&
    (isUnspecified(at.address) ||
      (at.address === freeAddress.address && (at.port === freeAddress.port || at.port === app.port)));
  const passed = /^(?:L\dOKC?|PROCOK)$/.test(checkStatus) && !/ \d+\/\d+$/.test(status);
  return {
    mine: isSlot && at !== undefined && at.address === app.address && at.port === app.port,
    at: isSlot ? at : undefined,
    serving: status.startsWith('UP') || status === 'no check',
    inMaintenance,
    draining: status.startsWith('DRAIN'),
    check: checkStatus === '' ? 'none' : passed ? 'passed' : 'failed',
    checkStatus,
    sessions: count('scur') + count('qcur') + count('used_conn_cur'),
    misdirected: isSlot && !inMaintenance && isPlaceholder,
  };
}
