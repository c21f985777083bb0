// Carries out slot steps on one HAProxy. Assignments go in bulk: after a restart every slot is put back with four
// transactions however many there are, instead of six for each slot.
//
//   lock them all, read ─► write the addresses, read until shown ─► write the states, unlock
//
// The locks are the ones that agents take (lock.ts): an agent that claims at the same time keeps its slot, and its step
// is left to the next round.
import { BerthError, describeError } from '../../shared/errors.ts';
import { releaseSlot, type SlotContext } from '../../shared/haproxy/claim.ts';
import { type Command, commands, type ServerName } from '../../shared/haproxy/commands.ts';
import {
  breakLock,
  holdMs,
  type LockPlace,
  lockOutcome,
  parseRows,
  readCommands,
} from '../../shared/haproxy/lock.ts';
import { parseServersState, type ServerRow, throwIfRefused } from '../../shared/haproxy/servers-state.ts';
import {
  freeSlots,
  holds,
  isInMaintenance,
  lockFor,
  type SlotTemplate,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import type { SlotStep } from './step.ts';

export type Outcome =
  | { step: SlotStep; outcome: 'ok' }
  | { step: SlotStep; outcome: 'failed' | 'skipped'; why: string };

type Assign = Extract<SlotStep, { kind: 'assign' }>;

const keyOf = ({ backend, name }: ServerName): string => `${backend}/${name}`;

export interface ApplyContext extends Omit<SlotContext, 'place'> {
  templates: readonly SlotTemplate[];
  /** Where each backend's locks are kept, learned on the way. */
  places: Map<string, LockPlace>;
}

/**
 * Carries out `steps`, urgent ones first in the order in which they were planned: mutes, then releases, then what fills
 * slots. A step that fails fails alone.
 * @throws BerthError `haproxy.…` when HAProxy cannot be reached; what was not done is planned again in the next round
 */
export async function applySteps(context: ApplyContext, steps: readonly SlotStep[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const assigns: Assign[] = [];
  const states: { step: SlotStep; command: Command }[] = [];
  for (const step of steps) {
    switch (step.kind) {
      case 'mute':
        states.push({ step, command: commands.setState(step.slot, 'maint') });
        break;
      case 'set-state':
        states.push({ step, command: commands.setState(step.slot, step.state) });
        break;
      case 'assign':
        assigns.push(step);
        break;
      case 'release':
      case 'break-lock':
        outcomes.push(await applyAlone(context, step));
        break;
      case 'hold':
        break;
      default:
        step satisfies never;
    }
  }
  if (states.length > 0) {
    const { replies } = await context.api.transact(
      states.map(({ command }) => command),
      context.signal,
    );
    outcomes.push(
      ...states.map(({ step, command }, index) => outcomeOf(step, () => refuse(replies[index], command))),
    );
  }
  for (const [backend, group] of Map.groupBy(assigns, (step) => step.slot.backend)) {
    try {
      outcomes.push(...(await assignAll(context, backend, group)));
    } catch (error) {
      const why = localFault(error);
      outcomes.push(...group.map((step): Outcome => ({ step, outcome: 'failed', why })));
    }
  }
  return outcomes;
}

function refuse(reply: Parameters<typeof throwIfRefused>[0] | undefined, command: string): void {
  if (reply !== undefined) throwIfRefused(reply, command);
}

function outcomeOf(step: SlotStep, act: () => void): Outcome {
  try {
    act();
    return { step, outcome: 'ok' };
  } catch (error) {
    return { step, outcome: 'failed', why: error instanceof Error ? error.message : String(error) };
  }
}

/** What to say of an error that concerns these steps only. @throws the error itself when HAProxy cannot be reached */
function localFault(error: unknown): string {
  if (!(error instanceof BerthError) || error.code.startsWith('haproxy.')) throw error;
  return describeError(error);
}

function placeOf(context: ApplyContext, backend: string): LockPlace {
  const known = context.places.get(backend) ?? { side: false };
  context.places.set(backend, known);
  return known;
}

async function applyAlone(
  context: ApplyContext,
  step: Extract<SlotStep, { kind: 'release' | 'break-lock' }>,
): Promise<Outcome> {
  try {
    const done =
      step.kind === 'release'
        ? await releaseSlot({ ...context, place: placeOf(context, step.slot.backend) }, step.slot, step.app)
        : await breakLock(context.api, step.slot, () => context.clock.monotonic(), context.signal);
    return done ? { step, outcome: 'ok' } : { step, outcome: 'skipped', why: 'it had changed meanwhile' };
  } catch (error) {
    return { step, outcome: 'failed', why: localFault(error) };
  }
}

async function assignAll(
  context: ApplyContext,
  backend: string,
  steps: readonly Assign[],
): Promise<Outcome[]> {
  const { api, clock, signal } = context;
  const place = placeOf(context, backend);
  const started = clock.monotonic();
  const locks = steps.map((step) => lockFor(step.slot, place.side));
  const { replies } = await api.transact(
    [...locks.map(commands.addLock), ...readCommands(backend, place.side)],
    signal,
  );
  const outcomes = locks.map((lock, index) => {
    const reply = replies[index];
    return reply === undefined ? 'refused' : lockOutcome(reply, lock);
  });
  if (outcomes.includes('static') && !place.side) {
    place.side = true;
    return assignAll(context, backend, steps);
  }
  const rows = parseRows(replies.slice(locks.length));
  const locked = steps.map((step, index) => ({
    step,
    lock: locks[index],
    taken: outcomes[index] === 'taken',
  }));
  const unlock = locked.flatMap(({ lock, taken }) =>
    taken && lock !== undefined ? [commands.deleteLock(lock)] : [],
  );
  const open = openRows(context.templates, backend, rows);
  const writable = locked.filter(({ step, taken }) => taken && open(step)).map(({ step }) => step);
  let refused: ReadonlyMap<Assign, string> = new Map();
  try {
    refused = await writeAddresses(context, backend, writable, started);
    const written = writable.filter((step) => !refused.has(step));
    await api.transact(
      [...written.map((step) => commands.setState(step.slot, step.state)), ...unlock],
      signal,
    );
  } catch (error) {
    // Held for longer, the rows may be broken and be another's: then they are left to go stale.
    if (clock.monotonic() - started <= holdMs) await api.transact(unlock).catch(() => undefined);
    throw error;
  }
  const done = new Set(writable);
  return locked.map(({ step, taken }): Outcome => {
    const why = refused.get(step);
    if (why !== undefined) return { step, outcome: 'failed', why };
    if (done.has(step)) return { step, outcome: 'ok' };
    return {
      step,
      outcome: 'skipped',
      why: taken ? 'the slot is not free any more' : 'another one is claiming the slot',
    };
  });
}

/** Says whether an assignment may still write its slot: it is free, or holds what the plan saw there. */
function openRows(
  templates: readonly SlotTemplate[],
  backend: string,
  rows: readonly ServerRow[],
): (step: Assign) => boolean {
  const own = templates.filter((template) => template.backend === backend);
  const free = new Set(own.flatMap((template) => freeSlots(slotsOf(rows, template)).map(keyOf)));
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  return ({ slot, instead }) => {
    const row = byKey.get(keyOf(slot));
    if (row === undefined) return false;
    return instead === undefined ? free.has(keyOf(slot)) : holds(row, instead) && !isInMaintenance(row);
  };
}

/** Returns the steps that HAProxy refused, each with its reason. */
async function writeAddresses(
  context: ApplyContext,
  backend: string,
  steps: readonly Assign[],
  started: number,
): Promise<ReadonlyMap<Assign, string>> {
  const refused = new Map<Assign, string>();
  if (steps.length === 0) return refused;
  const { api, clock, signal } = context;
  // What holds somebody else's address goes out of traffic before it is rewritten.
  const mutes = steps.flatMap(({ slot, instead }) =>
    instead === undefined ? [] : [commands.setState(slot, 'maint')],
  );
  const writes = steps.map(({ slot, app }) => commands.setAddress(slot, app.address, app.port));
  let { replies } = await api.transact([...mutes, ...writes, commands.showServersState(backend)], signal);
  steps.forEach((step, index) => {
    const outcome = outcomeOf(step, () =>
      refuse(replies[mutes.length + index], `set server ${keyOf(step.slot)} addr`),
    );
    if (outcome.outcome !== 'ok') refused.set(step, outcome.why);
  });
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const state = replies.at(-1);
    const rows = new Map(
      (state === undefined ? [] : parseServersState(state)).map((row) => [keyOf(row), row]),
    );
    const missing = steps.filter(({ slot, app }) => {
      const row = rows.get(keyOf(slot));
      return row === undefined || !holds(row, app);
    });
    if (missing.every((step) => refused.has(step))) return refused;
    if (clock.monotonic() - started > holdMs) {
      throw new BerthError(
        'slot.not-shown',
        `HAProxy does not show the address of ${missing.length} of ${steps.length} slots that were written`,
      );
    }
    await clock.sleep(wait, signal);
    ({ replies } = await api.transact([commands.showServersState(backend)], signal));
  }
}
