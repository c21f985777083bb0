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
  /** What has come after the last whole reply. */
  rest = '';
  bytes = 0;
  readonly #expected: number;
  readonly #decoder = new StringDecoder('utf8');
  #searched = 0;

  constructor(expected: number) {
    this.#expected = expected;
  }

  get done(): boolean {
    return this.replies.length >= this.#expected;
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.rest += this.#decoder.write(chunk);
    while (!this.done) {
      const at = this.rest.indexOf(end, this.#searched);
      if (at < 0) {
        // An end may lie across two chunks; what lies before was searched already.
        this.#searched = Math.max(0, this.rest.length - end.length + 1);
        return;
      }
      this.replies.push(parseReply(this.rest.slice(0, at)));
      this.rest = this.rest.slice(at + end.length);
      this.#searched = 0;
    }
  }
}
