// The live table: every slot that somebody holds, and the traffic so far. On a terminal it is redrawn in place; where
// the output goes to a file or a pipe nothing is redrawn.
import type { LoadCounts } from '../../test/bench/load.ts';

export interface SlotRow {
  backend: string;
  slot: string;
  address: string | null;
  port: number | null;
  state: string;
  agent: string | null;
}

const colours: Record<string, string> = {
  ready: '\x1b[32m',
  drain: '\x1b[33m',
  maint: '\x1b[35m',
  down: '\x1b[31m',
  free: '\x1b[2m',
};

/** The table's lines; pure. */
export function formatTable(slots: readonly SlotRow[], counts: LoadCounts, colour: boolean): string[] {
  const held = slots.filter(({ state }) => state !== 'free');
  const paint = (state: string, text: string) => (colour ? `${colours[state] ?? ''}${text}\x1b[0m` : text);
  const rows = held.map(({ backend, slot, address, port, state, agent }) => {
    const cells = [
      `${backend}/${slot}`.padEnd(14),
      paint(state, state.padEnd(6)),
      `${address ?? '-'}:${port ?? '-'}`.padEnd(22),
      agent ?? '',
    ];
    return `  ${cells.join('  ')}`;
  });
  const traffic = `requests ${counts.sent}, answered ${counts.ok}, failed ${counts.failed}`;
  return [`  ${held.length} of ${slots.length} slots are held · ${traffic}`, ...rows];
}

export class LiveTable {
  #lines = 0;
  readonly #out: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Draws over the last table. */
  draw(lines: readonly string[]): void {
    if (!this.#out.isTTY) return;
    this.clear();
    const width = this.#out.columns;
    this.#out.write(
      `${lines.map((line) => (line.length > width + 10 ? line.slice(0, width) : line)).join('\n')}\n`,
    );
    this.#lines = lines.length;
  }

  /** Removes the table, so that a line of the story can be written. */
  clear(): void {
    if (this.#lines > 0) this.#out.write(`\x1b[${this.#lines}A\x1b[0J`);
    this.#lines = 0;
  }
}
