// Changes many slots of one backend at once. After a restart every slot is put back with three transactions however many
// there are, instead of five for each slot.
//
//   lock all, read ─► out of traffic, write the addresses or add the servers, read until shown ─► write the states, unlock
//
// A thousand locks would take HAProxy longer than everything else together, hence the one lock of all slots (lock.ts,
// invariant 4). An agent that claims at the same time keeps its slot, and its step is left to the next round.
import { BerthError, describeError } from '../../shared/errors.ts';
import { isAdded, openingCommands } from '../../shared/haproxy/claim-server.ts';
import { type Command, commands } from '../../shared/haproxy/commands.ts';
import { type HeldLock, holdMs, type LockPlace, withLock } from '../../shared/haproxy/lock.ts';
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
  type Slots,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import type { ApplyContext, Outcome } from './apply-steps.ts';
import { slotKey } from './slot-world.ts';
import type { SlotStep } from './step.ts';

export type Rewrite = Extract<SlotStep, { kind: 'assign' | 'add' | 'release' | 'set-state' }>;

/** An address that is not shown by then is given up for this round; the states still need their time. */
const shownWithinMs = holdMs / 2;

/** @throws BerthError `slot.…`, `haproxy.…` when none could be changed */
export async function rewriteSlots(
  context: ApplyContext,
  backend: string,
  steps: readonly Rewrite[],
): Promise<Outcome[]> {
  const { api, clock, signal, places, templates } = context;
  const place = places.get(backend) ?? { side: false };
  places.set(backend, place);
  const act = async (held: HeldLock): Promise<Outcome[]> => {
    const why = closedRows(templates, backend, held.rows, place);
    const open = steps.filter((step) => why(step) === undefined);
    const failed = await writeAddresses(context, held, open);
    const states = open.flatMap((step) =>
      step.kind === 'release' || failed.has(step)
        ? []
        : openingOf(step).map((command) => ({ step, command })),
    );
    const batch = states.map(({ command }) => command);
    // The lock row of a release that is not finished tells later that the slot is half released.
    const unfinished = open.filter((step) => step.kind === 'release' && failed.has(step));
    batch.push(...unfinished.map(({ slot }) => commands.addLock(lockFor(slot, place.side))));
    const replies = await held.finish(batch);
    states.forEach(({ step, command }, index) => {
      note(failed, step, () => throwUnlessDone(replies[index], command));
    });
    return steps.map((step): Outcome => {
      const closed = why(step);
      if (closed !== undefined) return { step, outcome: 'skipped', why: closed };
      const fault = failed.get(step);
      return fault === undefined ? { step, outcome: 'ok' } : { step, outcome: 'failed', why: fault };
    });
  };
  const elapsed = () => clock.monotonic();
  const result = await withLock(api, { backend, all: true }, place, elapsed, act, signal);
  if (result.outcome === 'done') return result.value;
  return steps.map((step) => ({ step, outcome: 'skipped', why: 'another one is changing the slots' }));
}

function note(failed: Map<Rewrite, string>, step: Rewrite, act: () => void): void {
  try {
    act();
  } catch (error) {
    failed.set(step, describeError(error));
  }
}

/** Says why a slot may not be changed; undefined when it is as the plan saw it and nobody else is changing it. */
function closedRows(
  templates: readonly Slots[],
  backend: string,
  rows: readonly ServerRow[],
  { side }: LockPlace,
): (step: Rewrite) => string | undefined {
  const own = templates.filter((template) => template.backend === backend);
  const free = new Set(own.flatMap((template) => freeSlots(slotsOf(rows, template)).map(slotKey)));
  const byName = new Map(rows.map((row) => [slotKey(row), row]));
  return (step) => {
    if (byName.has(slotKey(lockFor(step.slot, side)))) return 'another one is changing the slot';
    const row = byName.get(slotKey(step.slot));
    if (step.kind === 'add') return row === undefined ? undefined : 'the server is there already';
    const before = step.kind === 'assign' ? step.instead : step.app;
    const isAsSeen =
      row !== undefined && (before === undefined ? free.has(slotKey(step.slot)) : holds(row, before));
    return isAsSeen ? undefined : 'the slot has changed meanwhile';
  };
}

/** What brings the slot into its state once its address is right. */
function openingOf(step: Exclude<Rewrite, { kind: 'release' }>): Command[] {
  if (step.kind === 'add') return openingCommands(step.slot, step.parameters, step.state);
  return [commands.setState(step.slot, step.state)];
}

/** What goes into the slot; undefined when its address stays. */
function addressFor(step: Rewrite): AppAddress | undefined {
  if (step.kind === 'assign' || step.kind === 'add') return step.app;
  return step.kind === 'release' ? freeAddress : undefined;
}

/** Returns the steps whose address HAProxy refuses or does not show, with the reason. */
async function writeAddresses(
  { clock, signal }: ApplyContext,
  held: HeldLock,
  steps: readonly Rewrite[],
): Promise<Map<Rewrite, string>> {
  const failed = new Map<Rewrite, string>();
  const writes = steps.flatMap((step) => {
    const app = addressFor(step);
    if (app === undefined) return [];
    let command: Command | undefined;
    // An address and parameters are what an agent says: what may not be sent fails its own step.
    note(failed, step, () => {
      command =
        step.kind === 'add'
          ? commands.addServer(step.slot, app, step.parameters)
          : commands.setAddress(step.slot, app.address, app.port);
    });
    return command === undefined ? [] : [{ step, app, command }];
  });
  const [first] = writes;
  if (first === undefined) return failed;
  const started = clock.monotonic();
  // What is in traffic goes out of it before its address changes.
  const batch: Command[] = writes.flatMap(({ step }) =>
    step.kind === 'add' || (step.kind === 'assign' && step.instead === undefined)
      ? []
      : [commands.setState(step.slot, 'maint')],
  );
  const muted = batch.length;
  const read = commands.showServersState(first.step.slot.backend);
  batch.push(...writes.map(({ command }) => command), read);
  let replies = await held.transact(batch);
  writes.forEach(({ step, command }, index) => {
    note(failed, step, () => {
      const reply = replies[muted + index];
      if (step.kind === 'add' && !isAdded(reply, command, step.slot))
        throw new BerthError('slot.lost-race', 'somebody else has added it');
      if (reply !== undefined) throwIfRefused(reply, command);
    });
  });
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const state = replies.at(-1);
    const rows = state === undefined ? [] : parseServersState(state);
    const byName = new Map(rows.map((row) => [slotKey(row), row]));
    const missing = writes.filter(({ step, app }) => {
      const row = byName.get(slotKey(step.slot));
      return !failed.has(step) && (row === undefined || !holds(row, app));
    });
    if (missing.length === 0) return failed;
    if (clock.monotonic() - started > shownWithinMs) {
      for (const { step, app } of missing)
        failed.set(step, `HAProxy does not show ${app.address}:${app.port} on it`);
      return failed;
    }
    await clock.sleep(wait, signal);
    replies = await held.transact([read]);
  }
}
