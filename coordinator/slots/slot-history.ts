// What one look at HAProxy cannot tell and planning needs: since when a slot is down, whose it was, and which one an
// agent had.
import { freeSlots, isDown, type Slots, slotsOf } from '../../shared/haproxy/slots.ts';
import type { HaproxyPicture } from '../observe/haproxy.ts';
import { addressKey, indexApps, type SlotAgent, slotKey } from './slot-world.ts';

export class SlotHistory {
  readonly downSince = new Map<string, number>();
  /** See `lastOwners` in slot-world.ts. */
  readonly lastOwners = new Map<string, string>();
  readonly #lastSlots = new Map<string, { backend: string; slot: string }>();

  /** A look was missed, or another process answers: slots may have changed hands unseen. */
  forgetOwners(): void {
    this.lastOwners.clear();
  }

  /** The agents; one that says of no slot that it is its own is given the name of the last one, to get that again. */
  recall(agents: readonly SlotAgent[]): SlotAgent[] {
    return agents.map((agent) => {
      const { record, registration } = agent;
      const last = registration.slot === undefined ? this.#lastSlots.get(record.id) : undefined;
      return last === undefined ? agent : { ...agent, registration: { ...registration, ...last } };
    });
  }

  /** Notes a look, after it was planned on. */
  note(picture: HaproxyPicture, templates: readonly Slots[], agents: readonly SlotAgent[]): void {
    const apps = indexApps(agents.filter(({ record }) => record.connected));
    const down = new Set<string>();
    for (const template of templates) {
      const slots = slotsOf(picture.rows, template);
      for (const row of freeSlots(slots)) this.lastOwners.delete(slotKey(row));
      for (const row of slots) {
        if (isDown(row)) down.add(slotKey(row));
        const agent = apps.get(addressKey(row));
        if (agent === undefined) continue;
        const { record, registration } = agent;
        this.#lastSlots.set(record.id, { backend: row.backend, slot: row.name });
        if (registration.slot === row.name && registration.backend === row.backend)
          this.lastOwners.set(slotKey(row), addressKey(row));
      }
    }
    const ids = new Set(agents.map(({ record }) => record.id));
    for (const id of this.#lastSlots.keys()) if (!ids.has(id)) this.#lastSlots.delete(id);
    for (const key of this.downSince.keys()) if (!down.has(key)) this.downSince.delete(key);
    for (const key of down) if (!this.downSince.has(key)) this.downSince.set(key, picture.at);
  }
}
