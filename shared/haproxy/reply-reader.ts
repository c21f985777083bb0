// Cuts what HAProxy sends in prompt mode into replies. Each reply ends with a line that starts with `> `; a reply may
// be empty. With `set severity-output number` a message starts with its syslog severity in brackets (`[3]: `).
import { StringDecoder } from 'node:string_decoder';

export interface Reply {
  /** Syslog severity of a message: 3 error, 4 warning, 6 information; undefined for data and for an empty reply. */
  severity: number | undefined;
  /** The reply without its severity and without the white space around it. */
  text: string;
}

/** Parses one reply's text. */
export function parseReply(text: string): Reply {
  const match = /^\s*\[(\d)\]: ?/.exec(text);
  if (match === null) return { severity: undefined, text: text.trim() };
  return { severity: Number(match[1]), text: text.slice(match[0].length).trim() };
}

const end = '\n> ';

export class ReplyReader {
  readonly replies: Reply[] = [];
  bytes = 0;
  readonly #expected: number;
  readonly #decoder = new StringDecoder('utf8');
  /** What has come after the last whole reply, in pieces: joined for each chunk, a long reply would cost its square. */
  #pieces: string[] = [];
  /** The last characters of the pieces, since an end may lie across two of them. */
  #seam = '';

  constructor(expected: number) {
    this.#expected = expected;
  }

  get done(): boolean {
    return this.replies.length >= this.#expected;
  }

  /** What has come after the last whole reply. */
  get rest(): string {
    return this.#pieces.join('');
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    let text = this.#decoder.write(chunk);
    while (!this.done) {
      const searched = this.#seam + text;
      const at = searched.indexOf(end);
      if (at < 0) {
        this.#seam = searched.slice(1 - end.length);
        break;
      }
      const whole = this.rest + text;
      const cut = whole.length - searched.length + at;
      this.replies.push(parseReply(whole.slice(0, cut)));
      text = whole.slice(cut + end.length);
      this.#pieces = [];
      this.#seam = '';
    }
    this.#pieces.push(text);
  }
}
