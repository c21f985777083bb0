// The usual way in: a free slot of a `server-template`.
import { claimSlot } from '../shared/haproxy/claim.ts';
import { findTemplate, type SlotTemplate } from '../shared/haproxy/slots.ts';
import type { WayIn, WayInSettings } from './way-in.ts';

export function byTemplate({ backend, slotPrefix: prefix, nodeCount: count = 1 }: WayInSettings): WayIn {
  let template: SlotTemplate | undefined;
  return {
    find: async (_, rows) => {
      template = findTemplate(rows, { backend, prefix, count });
      return template;
    },
    claim: (context, slots, app, wanted) =>
      claimSlot(context, template ?? { backend: slots.backend, prefix, count }, app, wanted),
    sweep: async () => false,
  };
}
