// The coordinator's log: JSON lines to stdout, written in the background, so that a reader that does not keep up never
// stops the coordinator; what waits is bounded, beyond that lines are dropped. The audit is kept elsewhere.
import { destination, pino } from 'pino';
import type { Log } from '../shared/log.ts';

const maxWaitingBytes = 8 * 1024 * 1024;

/** A log whose lines carry `coordinator`. `flush` writes what waits, before the program ends. */
export function createLog(level: string, name: string): { log: Log; flush(): void } {
  const output = destination({ dest: 1, sync: false, maxLength: maxWaitingBytes });
  // Nobody reads stdout any more: that is no reason to end.
  output.on('error', () => {});
  const log = pino(
    {
      level,
      base: { coordinator: name },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  return {
    log,
    flush: () => {
      try {
        output.flushSync();
      } catch {
        // the pipe is gone or full; there is nobody to tell
      }
    },
  };
}
