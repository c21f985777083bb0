// Leaving traffic: the drain at every HAProxy at once, then the pre-stop hook. Each phase is logged with its time, and
// goes into the timeline.
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { appEnvironment } from './config.ts';
import type { HaproxyLink } from './haproxy-link.ts';
import type { TimelineEntry } from './timeline.ts';

export interface LeaveContext {
  log: Log;
  clock: Clock;
  record(event: TimelineEntry): void;
}

/** Drains all; one that is away does not hold up the others, and all are done by `until` or when `skip` aborts. */
export async function drainAll(
  links: readonly HaproxyLink[],
  until: number,
  skip: AbortSignal,
  context: LeaveContext,
): Promise<void> {
  const left = Math.max(0, Math.ceil(until - context.clock.monotonic()));
  const signal = AbortSignal.any([skip, AbortSignal.timeout(left)]);
  await Promise.all(links.map((link) => drainOne(link, left, skip, signal, context)));
}

async function drainOne(
  link: HaproxyLink,
  left: number,
  skip: AbortSignal,
  signal: AbortSignal,
  { log, record }: LeaveContext,
): Promise<void> {
  const result = await link.drained(left, signal);
  if (result.outcome === 'no-slot') return;
  const { sessions } = result;
  const ms = Math.round(result.ms);
  const outcome = skip.aborted ? 'skipped' : result.outcome;
  const { haproxy, backend, slot } = link.report();
  const place = { haproxy, ...(backend === undefined || slot === undefined ? {} : { backend, slot }) };
  const reason = `${outcome} after ${ms} ms${sessions === 0 ? '' : `, with ${sessions} sessions left`}`;
  log.info({ event: 'slot.drained', ...place, outcome, ms, sessions }, `slot drained: ${reason}`);
  record({ event: 'slot.drained', ...place, reason });
}

/** Runs the hook; it is killed at `until` or when `skip` aborts. */
export async function runPreStop(
  command: string,
  until: number,
  skip: AbortSignal,
  { log, clock, record }: LeaveContext,
): Promise<void> {
  const { runHook } = await import('./hook.ts');
  const began = clock.monotonic();
  const late = AbortSignal.timeout(Math.max(0, Math.ceil(until - began)));
  const result = await runHook(command, appEnvironment(process.env), AbortSignal.any([skip, late]));
  const ms = Math.round(clock.monotonic() - began);
  const good = result.kind === 'ended' && result.code === 0;
  const reason = `${good ? 'done' : result.kind} after ${ms} ms`;
  log[good ? 'info' : 'warn']({ event: 'hook.ended', ms, ...result }, `pre-stop hook: ${reason}`);
  record({ event: 'hook.ended', reason });
}
