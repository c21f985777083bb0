// Deleting a server that Berth has added. HAProxy refuses it while a connection to the server remains, also an idle one
// (2.9 and before, and 3.3 on), so nothing rests on its success: what is left is in maintenance, and is deleted by the
// next one who looks.
import { type Command, commands, type ServerName } from './commands.ts';
import type { HeldLock } from './lock.ts';
import type { Reply } from './reply-reader.ts';
import { throwIfRefused } from './servers-state.ts';
import { pauseBriefly, type SlotContext } from './slot-write.ts';

/**
 * Returns whether the server, which is in maintenance, is gone. False: HAProxy keeps it for now.
 * @throws BerthError `haproxy.permission-denied`, `haproxy.stopping`
 */
export async function deleteIdle(
  transact: (batch: readonly Command[]) => Promise<readonly Reply[]>,
  server: ServerName,
): Promise<boolean> {
  const command = commands.deleteServer(server);
  const [reply] = await transact([command]);
  return reply !== undefined && isDeleted(reply, command);
}

/** Tries for a tenth of a second: a request that is just ending holds it up that long. What is left is left to others. */
export async function deleteSoon(context: SlotContext, held: HeldLock, server: ServerName): Promise<void> {
  for (let tries = 0; tries < 5; tries += 1) {
    await pauseBriefly(context);
    if (await deleteIdle(held.transact, server)) return;
  }
}

export function isDeleted(reply: Reply, command: Command): boolean {
  if (/^(?:Server deleted|No such server)/.test(reply.text)) return true;
  if (/^(?:Permission denied|Proxy is disabled)/.test(reply.text)) throwIfRefused(reply, command);
  return false;
}
