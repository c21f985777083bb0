// Deletes servers that were given back in dynamic mode, many at once. No lock: HAProxy deletes only what is in maintenance.
import { commands } from '../../shared/haproxy/commands.ts';
import { isDeleted } from '../../shared/haproxy/delete-server.ts';
import type { ApplyContext, Outcome } from './apply-steps.ts';
import type { SlotStep } from './step.ts';

type Deletion = Extract<SlotStep, { kind: 'delete' }>;

/** @throws BerthError `haproxy.…` when HAProxy cannot be reached */
export async function deleteServers(
  { api, signal }: ApplyContext,
  steps: readonly Deletion[],
): Promise<Outcome[]> {
  const batch = steps.map(({ slot }) => commands.deleteServer(slot));
  const { replies } = await api.transact(batch, signal);
  return steps.map((step, index): Outcome => {
    const [reply, command] = [replies[index], batch[index]];
    return reply !== undefined && command !== undefined && isDeleted(reply, command)
      ? { step, outcome: 'ok' }
      : { step, outcome: 'skipped', why: 'HAProxy keeps it while it has connections' };
  });
}
