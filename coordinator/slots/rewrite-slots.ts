// Changes many slots of one backend at once. After a restart every slot is put back with four transactions however many
// there are, instead of six for each slot.
//
//   lock them all, read ─► out of traffic, write the addresses, read until shown ─► write the states, unlock
//
// The locks are the ones that agents take (lock.ts), under the same invariants: an agent that claims at the same time
// keeps its slot, and its step is left to the next round.
import { BerthError, describeError } from '../../shared/errors.ts';
import { type Command, commands } from '../../shared/haproxy/commands.ts';
import { holdMs, lockOutcome, parseRows, readCommands } from '../../shared/haproxy/lock.ts';
import type { Reply } from '../../shared/haproxy/reply-reader.ts';
import {
  parseServersState,
  type ServerRow,
  throwIfRefused,
  throwUnlessDone,
} from '../../shared/haproxy/servers-state.ts';
import {
  type AppAddress,
  freeAddress,
  freeSlots,
  holds,
  lockFor,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import type { ApplyContext, Outcome } from './apply-steps.ts';
import { slotKey } from './slot-world.ts';
import type { SlotStep } from './step.ts';

export type Rewrite = Extract<SlotStep, { kind: 'assign' | 'release' | 'set-state' }>;

/** An address that is not shown by then is given up for this round; the states still need their time. */
const shownWithinMs = holdMs / 2;

/** @throws BerthError `slot.…`, `haproxy.…` when none could be changed */
export async function rewriteSlots(
  context: ApplyContext,
  backend: string,
  steps: readonly Rewrite[],
): Promise<Outcome[]> {
  const { clock, signal, places } = context;
  const place = places.get(backend) ?? { side: false };
  places.set(backend, place);
  const started = clock.monotonic();
  const transact = async (batch: readonly Command[]): Promise<readonly Reply[]> => {
    if (clock.monotonic() - started > holdMs)
      throw new BerthError('slot.no-lock', `locks of ${backend} were held for more than ${holdMs} ms`);
    return (await context.api.transact(batch, signal)).replies;
  };
  const locks = steps.map((step) => lockFor(step.slot, place.side));
  const replies = await transact([...locks.map(commands.addLock), ...readCommands(backend, place.side)]);
  const locked = locks.map((lock, index) => {
    try {
      return lockOutcome(replies[index] ?? { severity: undefined, text: '' }, lock);
    } catch (error) {
      return describeError(error);
    }
  });
  if (locked.includes('static') && !place.side) {
    place.side = true;
    return rewriteSlots(context, backend, steps);
  }
  const taken = locks.filter((_, index) => locked[index] === 'taken');
  const lockOf = (step: Rewrite) => locks[steps.indexOf(step)];
  const failed = new Map<Rewrite, string>();
  try {
    const rows = parseRows(replies.slice(locks.length));
    const isOpen = openRows(context, backend, rows);
    const open = steps.filter((step, index) => locked[index] === 'taken' && isOpen(step));
    await writeAddresses(transact, context, open, failed);
    const states = open.flatMap((step) =>
      step.kind === 'release' || failed.has(step)
        ? []
        : [{ step, command: commands.setState(step.slot, step.state) }],
    );
    // The lock of a release that is not finished is left: when it is stale, the slot is seen to be half released.
    const kept = new Set(open.filter((step) => step.kind === 'release' && failed.has(step)).map(lockOf));
    const done = await transact([
      ...states.map(({ command }) => command),
      ...taken.filter((lock) => !kept.has(lock)).map(commands.deleteLock),
    ]);
    states.forEach(({ step, command }, index) => {
      note(failed, step, () => throwUnlessDone(done[index], command));
    });
    const opened = new Set(open);
    return steps.map((step, index): Outcome => {
      const why = failed.get(step);
      if (why !== undefined) return { step, outcome: 'failed', why };
      if (opened.has(step)) return { step, outcome: 'ok' };
      const lock = locked[index];
      if (lock === 'taken') return { step, outcome: 'skipped', why: 'the slot has changed meanwhile' };
      if (lock === 'refused') return { step, outcome: 'skipped', why: 'another one is changing the slot' };
      return { step, outcome: 'failed', why: lock ?? 'no reply' };
    });
  } catch (error) {
    // Held for longer, the rows may be broken and be another's: then they are left to go stale.
    if (clock.monotonic() - started <= holdMs)
      await context.api.transact(taken.map(commands.deleteLock)).catch(() => undefined);
    throw error;
  }
}

function note(failed: Map<Rewrite, string>, step: Rewrite, act: () => void): void {
  try {
    act();
  } catch (error) {
    failed.set(step, describeError(error));
  }
}

/** Says whether a slot is still as the plan saw it. */
function openRows(
  { templates }: ApplyContext,
  backend: string,
  rows: readonly ServerRow[],
): (step: Rewrite) => boolean {
  const own = templates.filter((template) => template.backend === backend);
  const free = new Set(own.flatMap((template) => freeSlots(slotsOf(rows, template)).map(slotKey)));
  const bySlot = new Map(rows.map((row) => [slotKey(row), row]));
  return (step) => {
    const row = bySlot.get(slotKey(step.slot));
    if (row === undefined) return false;
    const before = step.kind === 'assign' ? step.instead : step.app;
    return before === undefined ? free.has(slotKey(step.slot)) : holds(row, before);
  };
}

/** What goes into the slot; undefined when its address stays. */
function addressFor(step: Rewrite): AppAddress | undefined {
  if (step.kind === 'assign') return step.app;
  return step.kind === 'release' ? freeAddress : undefined;
}

/** Steps whose address HAProxy refuses or does not show go into `failed`. */
async function writeAddresses(
  transact: (batch: readonly Command[]) => Promise<readonly Reply[]>,
  { clock, signal }: ApplyContext,
  steps: readonly Rewrite[],
  failed: Map<Rewrite, string>,
): Promise<void> {
  const writes = steps.flatMap((step) => {
    const app = addressFor(step);
    return app === undefined
      ? []
      : [{ step, app, command: commands.setAddress(step.slot, app.address, app.port) }];
  });
  const [first] = writes;
  if (first === undefined) return;
  const started = clock.monotonic();
  // What is in traffic goes out of it before its address changes.
  const mutes = writes.flatMap(({ step }) =>
    step.kind === 'assign' && step.instead === undefined ? [] : [commands.setState(step.slot, 'maint')],
  );
  const read = commands.showServersState(first.step.slot.backend);
  let replies = await transact([...mutes, ...writes.map(({ command }) => command), read]);
  writes.forEach(({ step, command }, index) => {
    note(failed, step, () => {
      const reply = replies[mutes.length + index];
      if (reply !== undefined) throwIfRefused(reply, command);
    });
  });
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const state = replies.at(-1);
    const rows = new Map(
      (state === undefined ? [] : parseServersState(state)).map((row) => [slotKey(row), row]),
    );
    const missing = writes.filter(({ step, app }) => {
      const row = rows.get(slotKey(step.slot));
      return !failed.has(step) && (row === undefined || !holds(row, app));
    });
    if (missing.length === 0) return;
    if (clock.monotonic() - started > shownWithinMs) {
      for (const { step, app } of missing)
        failed.set(step, `HAProxy does not show ${app.address}:${app.port} on it`);
      return;
    }
    await clock.sleep(wait, signal);
    replies = await transact([read]);
  }
}
