// The agent's log: JSON lines to stderr, which it shares with the app. Written at once, so that a crash loses nothing;
// but a reader that does not keep up must neither stop the agent (a Node app makes a shared pipe non-blocking, and a
// write then fails with EAGAIN) nor make it grow: up to 64 KB wait for the next write, what is beyond that is dropped.
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Log } from '../shared/log.ts';

const maxWaiting = 64 * 1024;

class StderrWriter {
  #waiting = '';

  write(line: string): void {
    if (this.#waiting.length + line.length <= maxWaiting) this.#waiting += line;
    this.flush();
  }

  flush(): void {
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

/** A log whose lines carry `agent`. `level` as in BERTH_LOG_LEVEL. */
export function createLog(level: string, agent: string): Log {
  const writer = new StderrWriter();
  return pino(
    {
      level,
      base: { agent },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    writer,
  );
}
