// A model of HAProxy's Runtime API for property tests over interleavings, with what makes claiming hard (HAPROXY.md):
// each command of each connection happens at a moment of its own, commands of others come in between, an address is
// applied later than it is answered (from 2.9 on), a restart forgets everything, and a client may die at any point.
import { BerthError } from '../../shared/errors.ts';
import type { RuntimeApi, Transaction } from '../../shared/haproxy/runtime-api.ts';
import type { VirtualTime } from './virtual-time.ts';

interface Row {
  id: number;
  address: string;
  port: number;
  adminState: number;
  changedAt: number;
  dynamic: boolean;
}

export interface ModelOptions {
  slots: number;
  time: VirtualTime;
  random: () => number;
  /** Longest delay of one command in milliseconds; now and then one takes ten times as long. */
  delayMs: number;
  /** Longest time between the answer to an address and its effect; 0 as in 2.6. */
  addressDelayMs: number;
  /** Whether HAProxy refuses to delete a server now, since it still has a connection; default: never. */
  keeps?: () => boolean;
  /** What HAProxy's checks find at an address; default: an app. */
  serves?: (address: string) => boolean;
}

const transactionMs = 2000;
const header =
  '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port';

const isLock = (name: string): boolean => /^(?:claim|break)\./.test(name);

export class ModelHaproxy {
  readonly backend = 'app';
  rows = new Map<string, Row>();
  readonly #options: ModelOptions;
  #incarnation = 0;
  #startedAt = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
    this.restart();
  }

  /** Every slot is back to the template, lock rows are gone, and running transactions are cut off. */
  restart(): void {
    this.#incarnation += 1;
    this.#startedAt = this.#options.time.now;
    this.rows = new Map(
      Array.from({ length: this.#options.slots }, (_, index) => [
        `node${index + 1}`,
        {
          id: index + 1,
          address: '127.0.0.1',
          port: 3128,
          adminState: 5,
          changedAt: this.#startedAt,
          dynamic: false,
        },
      ]),
    );
  }

  /** The Runtime API as one client sees it. Once `alive` says no, its commands stop and no promise of it settles. */
  client(localAddress: string, alive: () => boolean): RuntimeApi {
    return {
      transact: (commands, signal) =>
        new Promise<Transaction>((resolve, reject) => {
          const { time } = this.#options;
          const incarnation = this.#incarnation;
          const started = time.now;
          const replies: Transaction['replies'][number][] = [];
          const step = (index: number) => {
            if (!alive()) return;
            if (signal?.aborted === true) reject(signal.reason);
            else if (incarnation !== this.#incarnation)
              reject(new BerthError('haproxy.bad-reply', 'cut off by a restart'));
            else if (time.now - started > transactionMs)
              reject(new BerthError('haproxy.timeout', 'too slow'));
            else {
              const command = commands[index];
              if (command === undefined) resolve({ replies, localAddress });
              else {
                replies.push(this.#run(command));
                time.after(this.#delay(), () => step(index + 1));
              }
            }
          };
          time.after(this.#delay(), () => step(0));
        }),
    };
  }

  #delay(): number {
    const { random, delayMs } = this.#options;
    return random() * delayMs * (random() < 0.02 ? 10 : 1);
  }

  #run(command: string): Transaction['replies'][number] {
    const data = (text: string) => ({ severity: undefined, text });
    const error = (text: string) => ({ severity: 3, text });
    const words = command.split(' ');
    const { time } = this.#options;
    if (command === 'show info') {
      const uptime = Math.floor((time.now - this.#startedAt) / 1000);
      return data(
        `Name: HAProxy\nVersion: 3.0\nPid: ${this.#incarnation}\nUptime_sec: ${uptime}\nStart_time_sec: ${Math.floor(this.#startedAt / 1000)}\nStopping: 0`,
      );
    }
    if (command.startsWith('show servers state')) {
      if (words[3] !== undefined && words[3] !== this.backend) return error("Can't find backend.");
      return data(
        ['1', header, ...[...this.rows].map(([name, row]) => this.#stateLine(name, row))].join('\n'),
      );
    }
    if (command.startsWith('show stat ')) return data(this.#stat(Number(words[4])));
    if (command.startsWith('enable health ')) return data('');
    const [backend, name] = (words[2] ?? '').split('/');
    if (backend !== this.backend || name === undefined) return error('No such backend.');
    const row = this.rows.get(name);
    if (command.startsWith('add server ')) {
      if (row !== undefined) return error('Already exists a server with the same name in backend.');
      const id = Math.max(0, ...[...this.rows.values()].map((each) => each.id)) + 1;
      const [address = '', port = ''] = (words[3] ?? '').split(':');
      this.rows.set(name, {
        id,
        address,
        port: Number(port),
        adminState: words[4] === 'disabled' ? 5 : 1,
        changedAt: time.now,
        dynamic: true,
      });
      return { severity: 6, text: 'New server registered.' };
    }
    if (row === undefined) return error('No such server.');
    if (command.startsWith('del server ')) {
      if (!row.dynamic)
        return error('Only servers added at runtime via <add server> CLI cmd can be deleted.');
      if ((row.adminState & 1) === 0) return error('Only servers in maintenance mode can be deleted.');
      if (!isLock(name) && this.#options.keeps?.() === true)
        return error('Server still has connections attached to it, cannot remove it.');
      this.rows.delete(name);
      return { severity: 6, text: 'Server deleted.' };
    }
    if (words[3] === 'state') {
      const mark = row.adminState & 4;
      const states: Record<string, number> = { ready: mark, drain: 8 | mark, maint: 1 | mark };
      row.adminState = states[words[4] ?? ''] ?? row.adminState;
      row.changedAt = time.now;
      return data('');
    }
    if (words[3] === 'addr') {
      const apply = () => {
        // A row that was made anew, or after a restart, is another row.
        if (this.rows.get(name) !== row) return;
        row.address = words[4] ?? '';
        row.port = Number(words[6]);
      };
      const { random, addressDelayMs } = this.#options;
      if (addressDelayMs === 0) apply();
      else time.after(random() * addressDelayMs, apply);
      return {
        severity: 4,
        text: `IP changed from '${row.address}' to '${words[4]}' by 'stats socket command'`,
      };
    }
    throw new Error(`the model does not know the command ${command}`);
  }

  #stateLine(name: string, row: Row): string {
    const age = Math.floor(this.#options.time.now / 1000) - Math.floor(row.changedAt / 1000);
    const serves = this.#options.serves?.(row.address) ?? true;
    const operational = (row.adminState & 0x21) === 0 && serves ? 2 : 0;
    const fqdn = row.dynamic ? '-' : 'localhost';
    return `3 ${this.backend} ${row.id} ${name} ${row.address} ${operational} ${row.adminState} 1 1 ${age} 1 0 0 14 0 0 0 ${fqdn} ${row.port}`;
  }

  #stat(id: number): string {
    const names = '# pxname,svname,qcur,scur,status,used_conn_cur,check_status,addr';
    const found = [...this.rows].find(([, row]) => row.id === id);
    if (found === undefined) return names;
    const [name, row] = found;
    const status = (row.adminState & 0x21) !== 0 ? 'MAINT' : (row.adminState & 8) !== 0 ? 'DRAIN' : 'UP';
    return `${names}\n${this.backend},${name},0,0,${status},0,L4OK,${row.address}:${row.port}`;
  }
}
