// HAProxy's slots and lock rows as HAProxy itself tells them, read without the code that is under test.
import type { Haproxy } from '../bench/haproxy.ts';

export interface SlotRow {
  backend: string;
  name: string;
  /** `10.0.0.5:8080` */
  at: string;
  /** `down`: would take traffic, but HAProxy's checks find nothing there. */
  state: 'ready' | 'down' | 'drain' | 'maint';
}

export interface LockRow {
  name: string;
  seconds: number;
}

export interface Rows {
  slots: SlotRow[];
  locks: LockRow[];
}

export async function readRows(haproxy: Haproxy): Promise<Rows> {
  return parseRows(await haproxy.cli('show servers state'));
}

/** Pure. Fields: HAPROXY's management guide, "show servers state". */
export function parseRows(text: string): Rows {
  const [version, header = '', ...lines] = text.trim().split('\n');
  if (version !== '1' || !header.startsWith('# '))
    throw new Error(`not a servers state: ${text.slice(0, 80)}`);
  const names = header.slice(2).split(' ');
  const rows = lines.map((line) => {
    const fields = line.split(' ');
    return (name: string) => fields[names.indexOf(name)] ?? '';
  });
  const isLock = (name: string) => /^(?:break\.)*claim\./.test(name);
  return {
    locks: rows
      .filter((row) => isLock(row('srv_name')))
      .map((row) => ({ name: row('srv_name'), seconds: Number(row('srv_time_since_last_change')) })),
    slots: rows
      .filter((row) => !isLock(row('srv_name')))
      .map((row) => ({
        backend: row('be_name'),
        name: row('srv_name'),
        at: `${row('srv_addr')}:${row('srv_port')}`,
        state: stateOf(Number(row('srv_admin_state')), Number(row('srv_op_state'))),
      })),
  };
}

function stateOf(admin: number, operational: number): SlotRow['state'] {
  if ((admin & 0x23) !== 0) return 'maint';
  if ((admin & 0x08) !== 0) return 'drain';
  return operational === 0 ? 'down' : 'ready';
}
