// Parses `show servers state`, `show info` and `show stat`. Columns are found by the header line, since versions add
// some. What does not parse is an error, never an empty list: an empty list would read as "all slots are gone".
import { BerthError } from '../errors.ts';
import type { ServerName } from './commands.ts';
import type { Reply } from './reply-reader.ts';

/** One row of `show servers state`. */
export interface ServerRow extends ServerName {
  backendId: number;
  serverId: number;
  address: string;
  port: number;
  /** 0 stopped, 1 starting, 2 running, 3 stopping. */
  operationalState: number;
  /** Mask: 0x01 forced maintenance, 0x02 inherited, 0x04 config `disabled`, 0x08 drain, 0x20 no address. */
  adminState: number;
  /** 3 = the last check passed. */
  checkResult: number;
  /** Bit 0x02: checks are enabled by configuration or at run time (`srv_check_state`). */
  checkState: number;
  /** The server was made from a name (`localhost`), as the slots of a template are, not from an IP address. */
  templated: boolean;
  /** Whole seconds since the server last changed its state; for a lock row, its age. */
  secondsSinceChange: number;
}

/** What `show info` says of the process that answered. */
export interface ProcessInfo {
  version: string;
  pid: number;
  /** Seconds since the epoch, whole. */
  startTime: number;
  uptimeSeconds: number;
  /** A reload has replaced this worker; it only finishes what it has. */
  stopping: boolean;
}

function badReply(command: string, text: string): BerthError {
  return new BerthError(
    'haproxy.bad-reply',
    `the reply to "${command}" cannot be read: ${JSON.stringify(text.slice(0, 80))}`,
    {
      hint: 'is this port the Runtime API of an HAProxy from 2.6 on?',
    },
  );
}

/**
 * Parses a reply to `show servers state`.
 * @throws BerthError `haproxy.bad-reply`; `slot.no-backend` when the backend that was asked for is not there;
 *   `haproxy.permission-denied`
 */
export function parseServersState(reply: Reply): ServerRow[] {
  throwIfRefused(reply, 'show servers state');
  const lines = reply.text.split('\n');
  const header = lines[1];
  if (lines[0] !== '1' || header === undefined || !header.startsWith('# '))
    throw badReply('show servers state', reply.text);
  const names = header.slice(2).split(' ');
  const column = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw badReply('show servers state', header);
    return index;
  };
  const at = {
    backendId: column('be_id'),
    backend: column('be_name'),
    serverId: column('srv_id'),
    name: column('srv_name'),
    address: column('srv_addr'),
    operationalState: column('srv_op_state'),
    adminState: column('srv_admin_state'),
    secondsSinceChange: column('srv_time_since_last_change'),
    checkResult: column('srv_check_result'),
    checkState: column('srv_check_state'),
    fqdn: column('srv_fqdn'),
    port: column('srv_port'),
  };
  const used = Math.max(...Object.values(at)) + 1;
  const rows: ServerRow[] = [];
  // A plain loop: with thousands of slots read several times a second, this is where the time goes.
  for (let index = 2; index < lines.length; index += 1) {
    const text = lines[index];
    if (text === undefined || text === '') continue;
    const fields = text.split(' ', used);
    const row: ServerRow = {
      backend: fields[at.backend] ?? '',
      name: fields[at.name] ?? '',
      address: fields[at.address] ?? '',
      templated: fields[at.fqdn] !== '-',
      backendId: Number(fields[at.backendId]),
      serverId: Number(fields[at.serverId]),
      port: Number(fields[at.port]),
      operationalState: Number(fields[at.operationalState]),
      adminState: Number(fields[at.adminState]),
      checkResult: Number(fields[at.checkResult]),
      checkState: Number(fields[at.checkState]),
      secondsSinceChange: Number(fields[at.secondsSinceChange]),
    };
    // One sum finds a number that is none in any of the columns.
    const sum = row.backendId + row.serverId + row.port + row.operationalState + row.adminState;
    if (
      fields.length < used ||
      !Number.isInteger(sum + row.checkResult + row.checkState + row.secondsSinceChange)
    ) {
      throw badReply('show servers state', text);
    }
    rows.push(row);
  }
  return rows;
}

/** @throws BerthError `haproxy.bad-reply` */
export function parseInfo(reply: Reply): ProcessInfo {
  throwIfRefused(reply, 'show info');
  const fields = new Map(
    reply.text.split('\n').map((text) => {
      const colon = text.indexOf(': ');
      return [text.slice(0, colon), text.slice(colon + 2)] as const;
    }),
  );
  const number = (key: string): number => {
    const value = Number(fields.get(key) ?? Number.NaN);
    if (!Number.isSafeInteger(value)) throw badReply('show info', reply.text);
    return value;
  };
  return {
    version: fields.get('Version') ?? '',
    pid: number('Pid'),
    startTime: number('Start_time_sec'),
    uptimeSeconds: number('Uptime_sec'),
    stopping: fields.get('Stopping') === '1',
  };
}

/** One row of `show stat`, by column name. */
export type StatRow = Readonly<Record<string, string>>;

/** Parses `show stat` (CSV without quotes or commas in values, but for descriptions, which come quoted and last).
 * @throws BerthError `haproxy.bad-reply` */
export function parseStat(reply: Reply): StatRow[] {
  throwIfRefused(reply, 'show stat');
  const [header, ...rows] = reply.text.split('\n');
  const names = header?.startsWith('# pxname,svname,') === true ? header.slice(2).split(',') : [];
  // A header that was cut off would make every count that it lacks look like none.
  if (!names.includes('scur') || !names.includes('status')) throw badReply('show stat', reply.text);
  return rows
    .filter((text) => text !== '')
    .map((text) => {
      const fields = text.includes('"') ? splitQuoted(text) : text.split(',');
      return Object.fromEntries(names.map((name, index) => [name, fields[index] ?? '']));
    });
}

function splitQuoted(text: string): string[] {
  return [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)].map(
    (match) => match[1]?.replaceAll('""', '"') ?? match[2] ?? '',
  );
}

/** A number of a stat row; undefined when HAProxy left it empty. */
export function statNumber(row: StatRow, column: string): number | undefined {
  const text = row[column];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Throws the coded error that HAProxy's text stands for; returns when the reply is no refusal that is known.
 * Texts: HAPROXY.md, "Slots", measured on 2.6 to 3.2. */
export function throwIfRefused(reply: Reply, command: string): void {
  const { text } = reply;
  if (text.startsWith('Permission denied')) {
    throw new BerthError(
      'haproxy.permission-denied',
      `HAProxy answered "Permission denied" to "${command}"`,
      {
        hint: 'is `level admin` set on the stats socket?',
      },
    );
  }
  if (/^(?:No such backend|Can't find backend)/.test(text)) {
    throw new BerthError('slot.no-backend', `HAProxy has no backend for "${command}"`, {
      hint: 'check HAPROXY_BACKEND against the backends in haproxy.cfg',
    });
  }
  if (text.startsWith('Proxy is disabled')) {
    throw new BerthError(
      'haproxy.stopping',
      'the answer came from an HAProxy worker that a reload has replaced',
    );
  }
  if (text.includes('is only supported through configuration file')) {
    throw new BerthError('slot.fixed-address', `HAProxy refused "${command}": ${text}`, {
      hint: 'the template has `init-addr none`: use `init-addr last,libc,none` with a name that resolves, such as localhost',
    });
  }
  if (reply.severity === 3 || /^(?:Invalid addr|usage:|Unknown command)/i.test(text)) {
    throw new BerthError('haproxy.refused', `HAProxy refused "${command}": ${text.split('\n')[0]}`);
  }
}

/** Throws unless the reply is the empty one with which HAProxy says that a state was set. */
export function throwUnlessDone(reply: Reply | undefined, command: string): void {
  if (reply === undefined || reply.text === '') return;
  throwIfRefused(reply, command);
  const text = reply.text.split('\n')[0]?.slice(0, 200);
  throw new BerthError('haproxy.refused', `HAProxy answered "${command}" with ${JSON.stringify(text)}`);
}
