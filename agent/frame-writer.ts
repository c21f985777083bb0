// The writing half of the agent's WebSocket, which build.ts puts in the place of ws's own, four times as large: a client's
// frames, whole and masked, without compression (https://www.rfc-editor.org/rfc/rfc6455#section-5.2). Called by
// ws/lib/websocket.js, hence the signatures.
import { randomBytes } from 'node:crypto';

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;

type Done = (error?: Error | null) => void;

export interface FrameSink {
  write(data: Buffer, done?: Done): unknown;
}

/** One frame. `key` is the mask, four bytes that no one can foresee. */
export function formatFrame(opcode: number, payload: Buffer, key: Buffer): Buffer {
  const { length } = payload;
  const sizeBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + sizeBytes + 4;
  const frame = Buffer.alloc(start + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (sizeBytes === 0 ? length : sizeBytes === 2 ? 126 : 127);
  // Up to 6 bytes is what Node writes at once, and more than any message has.
  if (sizeBytes > 0) frame.writeUIntBE(length, start - 4 - Math.min(sizeBytes, 6), Math.min(sizeBytes, 6));
  key.copy(frame, start - 4);
  for (const [index, byte] of payload.entries()) frame[start + index] = byte ^ (key[index & 3] ?? 0);
  return frame;
}

export class FrameWriter {
  /** What waits to be compressed, as ws asks for it: nothing ever does. */
  readonly _bufferedBytes = 0;
  readonly #sink: FrameSink;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  send(data: string | Buffer, _options: unknown, done?: Done): void {
    this.#write(opcodes.text, Buffer.from(data), done);
  }

  ping(data: Buffer, _mask: boolean, done?: Done): void {
    this.#write(opcodes.ping, data, done);
  }

  pong(data: Buffer, _mask: boolean, done?: Done): void {
    this.#write(opcodes.pong, data, done);
  }

  close(code: number | undefined, data: string | Buffer | undefined, _mask: boolean, done?: Done): void {
    const text = Buffer.from(data ?? '');
    const body = code === undefined ? text : Buffer.from([code >> 8, code & 0xff, ...text]);
    this.#write(opcodes.close, body, done);
  }

  #write(opcode: number, payload: Buffer, done?: Done): void {
    this.#sink.write(formatFrame(opcode, payload, randomBytes(4)), done);
  }
}
