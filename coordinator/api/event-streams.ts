// Server-sent events: audit rows as they are recorded, and slots as they change. A reader that does not keep up is cut
// off; it comes back with `Last-Event-ID`, and gets the audit rows that it missed.
import { isDeepStrictEqual } from 'node:util';
import type { AuditRow } from '../audit/audit-entry.ts';
import type { SlotView } from '../slots/slot-view.ts';
import type { MissedRows } from './missed-rows.ts';
import { viewAuditRow } from './views.ts';

const queuedChunks = 1000;
const gatherMs = 100;
const keepAliveMs = 15_000;
const maxStreams = 100;

export interface EventSources {
  onRow(listener: (row: AuditRow) => void): () => void;
  slots(): readonly SlotView[];
}

export class EventStreams {
  readonly #sources: EventSources;
  readonly #streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  readonly #encoder = new TextEncoder();
  #known = new Map<string, SlotView>();
  #gathering: NodeJS.Timeout | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #stopRows: () => void = () => {};

  constructor(sources: EventSources) {
    this.#sources = sources;
  }

  get full(): boolean {
    return this.#streams.size >= maxStreams;
  }

  /** A stream that begins with the rows that were missed. */
  open({ rows, gapAfter }: MissedRows = { rows: [], gapAfter: undefined }): ReadableStream<Uint8Array> {
    let own: ReadableStreamDefaultController<Uint8Array> | undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          own = controller;
          if (this.#streams.size === 0) this.#begin();
          this.#streams.add(controller);
          controller.enqueue(this.#encoder.encode(': berth\n\n'));
          for (const row of rows) {
            controller.enqueue(this.#encoder.encode(formatAudit(row)));
            if (row.id === gapAfter)
              controller.enqueue(this.#encoder.encode(formatEvent('gap', { after: gapAfter })));
          }
        },
        cancel: () => {
          if (own !== undefined) this.#drop(own);
        },
      },
      new CountQueuingStrategy({ highWaterMark: queuedChunks + rows.length }),
    );
  }

  /** Slots may have changed. What has is found and sent a little later, once for a burst of changes. */
  slotsChanged(): void {
    if (this.#streams.size === 0) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#sendSlots();
    }, gatherMs);
  }

  /** Ends all streams. */
  close(): void {
    for (const controller of this.#streams) {
      this.#drop(controller);
      controller.close();
    }
  }

  #begin(): void {
    this.#known = byKey(this.#sources.slots());
    this.#stopRows = this.#sources.onRow((row) => this.#send(formatAudit(row)));
    this.#keepAlive = setInterval(() => this.#send(': \n\n'), keepAliveMs);
  }

  #drop(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (!this.#streams.delete(controller) || this.#streams.size > 0) return;
    this.#stopRows();
    clearInterval(this.#keepAlive);
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
  }

  #sendSlots(): void {
    const now = byKey(this.#sources.slots());
    for (const [key, slot] of now) {
      if (!isDeepStrictEqual(slot, this.#known.get(key))) this.#send(formatEvent('slot', slot));
    }
    this.#known = now;
  }

  #send(text: string): void {
    const chunk = this.#encoder.encode(text);
    for (const controller of this.#streams) {
      if ((controller.desiredSize ?? 0) > 0) controller.enqueue(chunk);
      else {
        this.#drop(controller);
        controller.error(new Error('the reader does not keep up'));
      }
    }
  }
}

function byKey(slots: readonly SlotView[]): Map<string, SlotView> {
  return new Map(slots.map((slot) => [`${slot.haproxy} ${slot.backend}/${slot.slot}`, slot]));
}

function formatAudit(row: AuditRow): string {
  return `id: ${row.id}\n${formatEvent('audit', viewAuditRow(row))}`;
}

/** JSON has no line breaks of its own, so one `data` line holds it. */
function formatEvent(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
