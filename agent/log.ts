// The agent's log: JSON lines to stderr, which it shares with the app, in the form that pino gives them (level, time,
// fields, msg). Not pino itself: of the 15 ms that the agent's start may cost it would take 6, and of the bundle's 45 KB
// a fifth. Lines are written at once, so that a crash loses none; but a reader that does not keep up must neither stop
// the agent (a Node app makes a shared pipe non-blocking, and a write then fails with EAGAIN) nor make it grow: up to
// 64 KB wait for the next line, what is beyond that is dropped.
import { writeSync } from 'node:fs';
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

/** Writes to stderr without ever waiting for its reader. */
class StderrWriter {
  #waiting = '';

  write(line: string): void {
    if (this.#waiting.length + line.length <= maxWaiting) this.#waiting += line;
    while (this.#waiting !== '') {
      const bytes = Buffer.from(this.#waiting);
      try {
        const written = writeSync(2, bytes);
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
