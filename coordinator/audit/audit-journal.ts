// Where audit rows wait while the database is away: one JSON row a line, in order, in a file beside the database.
//
// A row is in the journal once its line has been written whole and synced. A line without its newline was never
// acknowledged (the process died, or the disk was full), so it is cut off, when the file is opened and after a failed
// append. The read position is not kept: after a crash rows are offered again from the start, and the database
// knows which of them it has. The file is emptied when all of it has been taken. Whatever is asked of it is done one after
// the other: rows are appended while a database that hangs has been offered others.
import { mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod/mini';
import type { AuditRow } from './audit-entry.ts';

const text = z.nullable(z.string());
const rowSchema: z.ZodMiniType<AuditRow> = z.object({
  id: z.string(),
  at: z.number(),
  event: z.string(),
  actor: z.string(),
  reason: z.string(),
  outcome: z.enum(['ok', 'failed', 'held']),
  agent: text,
  container: text,
  host: text,
  service: text,
  haproxy: text,
  backend: text,
  slot: text,
  policy: text,
  metric: text,
  value: z.nullable(z.number()),
  from: text,
  to: text,
  alert: text,
  details: z.nullable(z.record(z.string(), z.unknown())),
});

const chunkBytes = 64 * 1024;
const newline = 0x0a;

export class AuditJournal {
  readonly path: string;
  #file: FileHandle | undefined;
  /** Bytes of whole lines in the file. */
  #size = 0;
  /** Bytes that have been taken. */
  #taken = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  /** True when every row that was appended has been taken. Only right after a successful `open`. */
  get empty(): boolean {
    return this.#taken === this.#size;
  }

  get waitingBytes(): number {
    return this.#size - this.#taken;
  }

  /** Opens the file (again), and cuts off a torn last line. */
  async open(): Promise<void> {
    await this.#inTurn(() => this.#open());
  }

  async #open(): Promise<FileHandle> {
    if (this.#file !== undefined) return this.#file;
    mkdirSync(dirname(this.path), { recursive: true });
    const file = await open(this.path, 'a+', 0o600);
    const { size } = await file.stat();
    this.#size = await endOfLastLine(file, size);
    if (this.#size < size) await file.truncate(this.#size);
    this.#taken = 0;
    this.#file = file;
    return file;
  }

  /** Appends all rows or none. */
  append(rows: readonly AuditRow[]): Promise<void> {
    return this.#inTurn(() => this.#append(rows));
  }

  async #append(rows: readonly AuditRow[]): Promise<void> {
    const file = await this.#open();
    const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    try {
      await file.appendFile(bytes);
      await file.datasync();
    } catch (error) {
      await file.truncate(this.#size).catch(() => this.#close());
      throw error;
    }
    this.#size += bytes.length;
  }

  /** The next rows, at most `limit`, and what to call once they are safe elsewhere. */
  peek(limit: number): Promise<{ rows: AuditRow[]; taken: () => Promise<void> }> {
    return this.#inTurn(() => this.#peek(limit));
  }

  async #peek(limit: number): Promise<{ rows: AuditRow[]; taken: () => Promise<void> }> {
    const file = await this.#open();
    const lines: Buffer[] = [];
    let end = this.#taken;
    for (let bytes = chunkBytes; lines.length === 0 && end < this.#size; bytes *= 2) {
      const buffer = Buffer.alloc(Math.min(bytes, this.#size - this.#taken));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#taken);
      if (bytesRead < buffer.length) throw new Error(`${this.path} is shorter than what was written to it`);
      for (let start = 0; lines.length < limit; ) {
        const at = buffer.indexOf(newline, start);
        if (at < 0) break;
        lines.push(buffer.subarray(start, at));
        start = at + 1;
        end = this.#taken + start;
      }
    }
    return { rows: lines.flatMap(parseLine), taken: () => this.#inTurn(() => this.#take(end)) };
  }

  /** The next use opens it again, and mends it. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #take(end: number): Promise<void> {
    this.#taken = end;
    if (!this.empty) return;
    await this.#file?.truncate(0);
    this.#size = 0;
    this.#taken = 0;
  }
}

/** A line that is no row (a damaged disk) is left out: it must not keep the rows behind it from the database. */
function parseLine(line: Buffer): AuditRow[] {
  try {
    const row = rowSchema.safeParse(JSON.parse(line.toString()));
    return row.success ? [row.data] : [];
  } catch {
    return [];
  }
}

async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunkBytes);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(newline);
    if (at >= 0) return start + at + 1;
    end = start;
  }
  return 0;
}
