// What an agent remembers over a restart of its container: the slot that it had and the address that stood there. With
// it a restarted container gets its slot back, and gives back the old one if its address has changed meanwhile. A
// container whose file system is read-only remembers nothing and still works.
import { readFileSync, writeFileSync } from 'node:fs';
import * as z from 'zod/mini';

const rememberedSchema = z.object({
  backend: z.string(),
  slot: z.string(),
  address: z.string(),
  port: z.number(),
});
export type RememberedSlot = z.infer<typeof rememberedSchema>;

export class SlotMemory {
  readonly #file: string | undefined;

  /** `base` is a path; each HAProxy has a file of its own beside it. Undefined: remember nothing. */
  constructor(base: string | undefined, haproxy: string) {
    this.#file = base === undefined ? undefined : `${base}.${haproxy.replaceAll(/[^A-Za-z0-9.-]/g, '_')}`;
  }

  load(): RememberedSlot | undefined {
    if (this.#file === undefined) return undefined;
    try {
      const parsed = rememberedSchema.safeParse(JSON.parse(readFileSync(this.#file, 'utf8')));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined; // nothing remembered, or half a file: the slot is then found by its address
    }
  }

  save(remembered: RememberedSlot): void {
    if (this.#file === undefined) return;
    try {
      writeFileSync(this.#file, JSON.stringify(remembered));
    } catch {
      // A read-only file system: see the top of this file.
    }
  }
}
