// What an agent remembers over a restart of its container: the slot that it had and the address that stood there. With
// it a restarted container gets its slot back, and gives back the old one if its address has changed meanwhile. A
// container whose file system is read-only remembers it for as long as its agent lives.
import { readFileSync, writeFileSync } from 'node:fs';

export interface RememberedSlot {
  backend: string;
  slot: string;
  address: string;
  port: number;
}

export class SlotMemory {
  readonly #file: string | undefined;
  #remembered: RememberedSlot | undefined;

  /** `base` is a path; each HAProxy has a file of its own beside it. Undefined: no file. */
  constructor(base: string | undefined, haproxy: string) {
    this.#file = base === undefined ? undefined : `${base}.${haproxy.replaceAll(/[^A-Za-z0-9.-]/g, '_')}`;
  }

  load(): RememberedSlot | undefined {
    if (this.#remembered !== undefined || this.#file === undefined) return this.#remembered;
    try {
      return parseRemembered(readFileSync(this.#file, 'utf8'));
    } catch {
      return undefined; // nothing remembered, or half a file: the slot is then found by its address
    }
  }

  save(remembered: RememberedSlot): void {
    this.#remembered = remembered;
    if (this.#file === undefined) return;
    try {
      writeFileSync(this.#file, JSON.stringify(remembered));
    } catch {
      // A read-only file system: see the top of this file.
    }
  }
}

function parseRemembered(text: string): RememberedSlot | undefined {
  const value: Record<string, unknown> = Object(JSON.parse(text));
  const { backend, slot, address, port } = value;
  const known = typeof backend === 'string' && typeof slot === 'string' && typeof address === 'string';
  return known && typeof port === 'number' ? { backend, slot, address, port } : undefined;
}
