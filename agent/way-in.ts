// How an app gets into a backend of HAProxy, and what lies about there: by a slot of a `server-template`, or by a server
// that is added for it. All else about a slot is the same for both. What a set-up does not use is not loaded.
import type { Claimed, WantedSlot } from '../shared/haproxy/claim.ts';
import type { ServerName } from '../shared/haproxy/commands.ts';
import type { RuntimeApi } from '../shared/haproxy/runtime-api.ts';
import type { ServerRow } from '../shared/haproxy/servers-state.ts';
import type { SlotContext } from '../shared/haproxy/slot-write.ts';
import type { AppAddress, Slots } from '../shared/haproxy/slots.ts';
import type { Tell } from './leftovers.ts';

export interface WayInSettings {
  /** NODE_COUNT; undefined with `parameters`. */
  nodeCount: number | undefined;
  slotPrefix: string;
  backend: string | undefined;
  /** Of the server that is added for the app; undefined: it takes a slot of a template. */
  parameters?: string | undefined;
}

export interface WayIn {
  /** Where the app's slot is or would be. @throws BerthError `slot.no-backend` and the like, `haproxy.…` */
  find(api: RuntimeApi, rows: readonly ServerRow[], signal: AbortSignal): Promise<Slots>;
  claim(context: SlotContext, slots: Slots, app: AppAddress, wanted: WantedSlot): Promise<Claimed>;
  /** Removes what the dead left behind and only this way in makes. Returns whether HAProxy still keeps some of it. */
  sweep(
    context: SlotContext & { signal: AbortSignal },
    own: ServerName,
    attended: boolean,
    tell: Tell,
  ): Promise<boolean>;
}

export async function loadWayIn(settings: WayInSettings): Promise<WayIn> {
  if (settings.parameters === undefined) return (await import('./by-template.ts')).byTemplate(settings);
  return (await import('./by-adding.ts')).byAdding({ ...settings, parameters: settings.parameters });
}
