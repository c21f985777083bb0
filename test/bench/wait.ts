// Waiting for a condition with a deadline. A test never sleeps and hopes: it says what it waits for, and when the
// deadline passes the error says what was awaited and what was last seen.
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

type Falsy = false | 0 | '' | null | undefined;

export interface UntilOptions {
  /** What is awaited, for the error: "until `what`". */
  readonly what: string;
  /** Milliseconds; default 10 s. */
  readonly deadlineMs?: number;
  /** Milliseconds between two looks; default 20. */
  readonly everyMs?: number;
}

/**
 * Calls `condition` until it gives a truthy value, and returns that. A condition that throws counts as not met; its
 * last error becomes the cause when the deadline passes.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, deadlineMs = 10_000, everyMs = 20 }: UntilOptions,
): Promise<Exclude<T, Falsy>> {
  const deadline = performance.now() + deadlineMs;
  let seen = 'nothing: the condition did not return';
  let cause: unknown;
  for (;;) {
    const left = deadline - performance.now();
    const timer = new AbortController();
    try {
      const value = await Promise.race([
        Promise.resolve().then(condition),
        delay(Math.max(left, 1), timeIsUp, { signal: timer.signal }),
      ]);
      if (value !== timeIsUp) {
        if (value) return value as Exclude<T, Falsy>;
        seen = inspect(value, { depth: 4, breakLength: 160 });
        cause = undefined;
      }
    } catch (error) {
      seen = `an error: ${error instanceof Error ? error.message : String(error)}`;
      cause = error;
    } finally {
      timer.abort();
    }
    if (performance.now() + everyMs >= deadline) {
      throw new Error(`waited ${deadlineMs} ms until ${what}; last seen: ${seen}`, { cause });
    }
    await delay(everyMs);
  }
}

const timeIsUp = Symbol('time is up');
const given = new Set<number>();

/**
 * A port that nobody listens on, also good for a server that goes away and comes back: it lies below the range from
 * which Linux takes the ports of outgoing connections, and is given once only in this process.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (!given.has(port) && (await canListen(port, address))) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no free port found on ${address} between 10000 and 32000`);
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
