// One look at one HAProxy: which process answers, and every row of every backend. Both come from one transaction, so
// that the rows are known to be those of that process.
import { BerthError } from '../../shared/errors.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import type { RuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import {
  type ProcessInfo,
  parseInfo,
  parseServersState,
  type ServerRow,
} from '../../shared/haproxy/servers-state.ts';

export interface HaproxyPicture {
  info: ProcessInfo;
  rows: readonly ServerRow[];
  /** Monotonic milliseconds. */
  at: number;
}

/** A HAProxy of the configuration, with the rows of the last look; undefined while it does not answer. */
export interface SeenHaproxy {
  name: string;
  api: RuntimeApi;
  rows: readonly ServerRow[] | undefined;
}

/**
 * @throws BerthError `haproxy.…`; `haproxy.stopping` when a worker answered that a reload has replaced: its rows are
 *   those of before the reload
 */
export async function observeHaproxy(
  api: RuntimeApi,
  now: () => number,
  signal?: AbortSignal,
): Promise<HaproxyPicture> {
  const { replies } = await api.transact([commands.showInfo(), commands.showServersState()], signal);
  const [info, state] = replies;
  if (info === undefined || state === undefined)
    throw new BerthError('haproxy.bad-reply', 'HAProxy gave no reply');
  const process = parseInfo(info);
  if (process.stopping)
    throw new BerthError('haproxy.stopping', 'the worker that answered is being replaced by a reload');
  return { info: process, rows: parseServersState(state), at: now() };
}

/** Tells processes apart. Two restarts within a second can look alike in a container (HAPROXY.md, "Restarts"), so
 * this only gives the reason; what is repaired is found by comparing slots. */
export const incarnationOf = (info: ProcessInfo): string => `${info.pid}/${info.startTime}`;
