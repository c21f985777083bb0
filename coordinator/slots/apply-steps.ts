// Carries out slot steps on one HAProxy. What must be right now goes first: slots out of traffic that should never have
// been in it, then the locks of the dead. The rest goes in bulk (rewrite-slots.ts).
import { BerthError, describeError, isBerthError } from '../../shared/errors.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import { breakLock, type LockPlace } from '../../shared/haproxy/lock.ts';
import { throwUnlessDone } from '../../shared/haproxy/servers-state.ts';
import type { SlotContext } from '../../shared/haproxy/slot-write.ts';
import type { Slots } from '../../shared/haproxy/slots.ts';
import { deleteServers } from './delete-servers.ts';
import { type Rewrite, rewriteSlots } from './rewrite-slots.ts';
import type { SlotStep } from './step.ts';

export type Outcome =
  | { step: SlotStep; outcome: 'ok' }
  | { step: SlotStep; outcome: 'failed'; why: string }
  /** Somebody else was at it; the next look tells. */
  | { step: SlotStep; outcome: 'skipped'; why: string };

export interface ApplyContext extends Omit<SlotContext, 'place' | 'random'> {
  templates: readonly Slots[];
  /** Where each backend's locks are kept, learned on the way. */
  places: Map<string, LockPlace>;
}

type StepOf<Kind extends SlotStep['kind']> = Extract<SlotStep, { kind: Kind }>;

/**
 * Carries out `steps`. A step that fails fails alone.
 * @throws BerthError `haproxy.…` when HAProxy cannot be reached; what was not done is planned again in the next round
 */
export async function applySteps(context: ApplyContext, steps: readonly SlotStep[]): Promise<Outcome[]> {
  const mutes: StepOf<'mute'>[] = [];
  const locks: StepOf<'break-lock'>[] = [];
  const rewrites: Rewrite[] = [];
  const deletions: StepOf<'delete'>[] = [];
  for (const step of steps) {
    switch (step.kind) {
      case 'mute':
        mutes.push(step);
        break;
      case 'break-lock':
        locks.push(step);
        break;
      case 'assign':
      case 'add':
      case 'release':
      case 'set-state':
        rewrites.push(step);
        break;
      case 'delete':
        deletions.push(step);
        break;
      case 'hold':
        break;
      default:
        step satisfies never;
    }
  }
  const outcomes = await applyMutes(context, mutes);
  for (const step of locks) outcomes.push(...(await attempt([step], () => applyBreak(context, step))));
  for (const [backend, group] of Map.groupBy(rewrites, (step) => step.slot.backend))
    outcomes.push(...(await attempt(group, () => rewriteSlots(context, backend, group))));
  if (deletions.length > 0)
    outcomes.push(...(await attempt(deletions, () => deleteServers(context, deletions))));
  return outcomes;
}

async function applyMutes(context: ApplyContext, mutes: readonly SlotStep[]): Promise<Outcome[]> {
  if (mutes.length === 0) return [];
  const batch = mutes.map(({ slot }) => commands.setState(slot, 'maint'));
  const { replies } = await context.api.transact(batch, context.signal);
  return mutes.map((step, index): Outcome => {
    try {
      throwUnlessDone(replies[index], batch[index] ?? '');
      return { step, outcome: 'ok' };
    } catch (error) {
      return { step, outcome: 'failed', why: describeError(error) };
    }
  });
}

async function applyBreak(context: ApplyContext, step: StepOf<'break-lock'>): Promise<Outcome[]> {
  const broken = await breakLock(context.api, step.slot, () => context.clock.monotonic(), context.signal);
  return [broken ? { step, outcome: 'ok' } : { step, outcome: 'skipped', why: 'it had changed meanwhile' }];
}

/** Runs `act`; an error that concerns these steps only becomes their outcome. @throws when HAProxy cannot be reached */
async function attempt(steps: readonly SlotStep[], act: () => Promise<Outcome[]>): Promise<Outcome[]> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BerthError) || isConnectionFault(error)) throw error;
    return steps.map((step) => ({ step, outcome: 'failed', why: describeError(error) }));
  }
}

const isConnectionFault = (error: BerthError): boolean =>
  isBerthError(error, 'haproxy.unreachable', 'haproxy.timeout', 'haproxy.bad-reply', 'haproxy.stopping');
