// The agent's log: JSON lines to stderr, which it shares with the app, in the form that pino gives them (level, time,
// fields, msg). Not pino itself: of the 15 ms that the agent's start may cost it would take 6, and of the bundle's 45 KB
// a fifth. Lines are written at once, so that a crash loses none. But a reader that does not keep up must neither stop
// the agent nor make it grow: a pipe is opened once more, without blocking (the app's own end must go on blocking), up
// to 64 KB wait for the next line, and what is beyond that is dropped.
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Log } from '../shared/log.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const ranks: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: 100,
};

const maxWaiting = 64 * 1024;

/** stderr, as a pipe that does not block where it is a pipe that can be opened; sockets and files stay as they are. */
function openStderr(): number {
  try {
    if (fstatSync(2).isFIFO()) return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // no /proc, or the pipe is another user's
  }
  return 2;
}

class StderrWriter {
  readonly #fd = openStderr();
  #waiting = '';

  write(line: string): void {
    if (this.#waiting.length + line.length <= maxWaiting) this.#waiting += line;
    while (this.#waiting !== '') {
      const bytes = Buffer.from(this.#waiting);
      try {
        const written = writeSync(this.#fd, bytes);
        this.#waiting = bytes.subarray(written).toString();
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (code !== 'EAGAIN') this.#waiting = ''; // EPIPE, EBADF: nobody reads stderr any more
        return;
      }
    }
  }
}

/** One line; `fields` are the event and what belongs to it. */
export function formatLine(
  level: string,
  time: Date,
  agent: string,
  fields: object,
  message: string,
): string {
  return `${JSON.stringify({ level, time: time.toISOString(), agent, ...fields, msg: message })}\n`;
}

/** A log whose lines carry `agent`; `least` as in BERTH_LOG_LEVEL. */
export function createLog(least: LogLevel, agent: string): Log {
  const writer = new StderrWriter();
  const at = (level: LogLevel) => (fields: object, message: string) => {
    if (ranks[level] >= ranks[least]) writer.write(formatLine(level, new Date(), agent, fields, message));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
