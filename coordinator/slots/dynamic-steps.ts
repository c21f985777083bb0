// Adds servers in dynamic mode and deletes those that were given back, many at once. No locks: adding is a test-and-set
// on the name, and HAProxy deletes only what is in maintenance.
import { describeError } from '../../shared/errors.ts';
import { isAdded, openingCommands } from '../../shared/haproxy/claim-server.ts';
import { type Command, commands } from '../../shared/haproxy/commands.ts';
import { isDeleted } from '../../shared/haproxy/delete-server.ts';
import { throwUnlessDone } from '../../shared/haproxy/servers-state.ts';
import type { ApplyContext, Outcome } from './apply-steps.ts';
import type { SlotStep } from './step.ts';

type Addition = Extract<SlotStep, { kind: 'add' }>;
type Deletion = Extract<SlotStep, { kind: 'delete' }>;

/** @throws BerthError `haproxy.…` when HAProxy cannot be reached */
export async function addServers(context: ApplyContext, steps: readonly Addition[]): Promise<Outcome[]> {
  const outcomes = new Map<Addition, Outcome>();
  const fail = (step: Addition, error: unknown) =>
    outcomes.set(step, { step, outcome: 'failed', why: describeError(error) });
  /** Parameters and address are the agent's words: what may not be sent fails its own step. */
  const attempt = <T>(step: Addition, act: () => T): T[] => {
    try {
      return [act()];
    } catch (error) {
      fail(step, error);
      return [];
    }
  };
  const adds = steps.flatMap((step) =>
    attempt(step, () => ({ step, command: commands.addServer(step.slot, step.app, step.parameters) })),
  );
  const added = await run(
    context,
    adds.map(({ command }) => command),
  );
  const fresh = adds.flatMap(({ step, command }, index) => {
    const mine = attempt(step, () => isAdded(added[index], command, step.slot));
    if (mine[0] === false) outcomes.set(step, { step, outcome: 'skipped', why: 'it is there already' });
    return mine[0] === true ? [step] : [];
  });
  const opening = fresh.flatMap((step) =>
    openingCommands(step.slot, step).map((command) => ({ step, command })),
  );
  const opened = await run(
    context,
    opening.map(({ command }) => command),
  );
  for (const step of fresh) outcomes.set(step, { step, outcome: 'ok' });
  opening.forEach(({ step, command }, index) => {
    attempt(step, () => throwUnlessDone(opened[index], command));
  });
  return steps.flatMap((step) => outcomes.get(step) ?? []);
}

/** @throws BerthError `haproxy.…` when HAProxy cannot be reached */
export async function deleteServers(context: ApplyContext, steps: readonly Deletion[]): Promise<Outcome[]> {
  const batch = steps.map(({ slot }) => commands.deleteServer(slot));
  const replies = await run(context, batch);
  return steps.map((step, index): Outcome => {
    const [reply, command] = [replies[index], batch[index]];
    return reply !== undefined && command !== undefined && isDeleted(reply, command)
      ? { step, outcome: 'ok' }
      : { step, outcome: 'skipped', why: 'HAProxy keeps it while it has connections' };
  });
}

async function run({ api, signal }: ApplyContext, batch: readonly Command[]) {
  return batch.length === 0 ? [] : (await api.transact(batch, signal)).replies;
}
