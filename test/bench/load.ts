// Steady HTTP load with a count for each step of a test: so many requests a second, whether or not earlier ones were
// answered, up to `concurrency` at a time and for at most `maxSeconds`. What could not be sent because that many were
// open is counted as `held`, never silently dropped.
//
// A request failed when it ended in a 5xx status, a connection error, or no answer in time.
import { Agent, request } from 'node:http';

export interface LoadOptions {
  readonly url: string;
  readonly ratePerSecond: number;
  readonly maxSeconds: number;
  /** Requests open at a time; default 200. */
  readonly concurrency?: number;
  /** Share of requests, 0 to 1, that go to `longPath`; default 0. */
  readonly longShare?: number;
  /** Default `/slow?ms=1000`. */
  readonly longPath?: string;
  /** Reuse connections; default false. */
  readonly keepAlive?: boolean;
  /** Milliseconds for one request; default 10,000. */
  readonly timeoutMs?: number;
}

export interface LoadCounts {
  sent: number;
  ok: number;
  failed: number;
  /** Not sent, since `concurrency` requests were open. */
  held: number;
  readonly byStatus: Record<number, number>;
  /** By kind: `503`, `ECONNRESET`, `timeout`, … */
  readonly errors: Record<string, number>;
}

export interface Load extends AsyncDisposable {
  /** Counts since the start. */
  readonly total: LoadCounts;
  /** Counts by the label that was set when a request was sent; `start` before the first mark. */
  readonly steps: ReadonlyMap<string, LoadCounts>;
  /** From now on, requests count under this label. Returns its counts, which go on changing. */
  mark(label: string): LoadCounts;
  /** Sends no more, waits for the open requests, and returns the total. */
  stop(): Promise<LoadCounts>;
}

const tickMs = 10;

/** Starts the load at once. */
export function startLoad(options: LoadOptions): Load {
  const { url, ratePerSecond, maxSeconds, concurrency = 200, longShare = 0, timeoutMs = 10_000 } = options;
  const longUrl = new URL(options.longPath ?? '/slow?ms=1000', url);
  const agent = new Agent({ keepAlive: options.keepAlive ?? false, maxSockets: concurrency });
  const total = emptyCounts();
  const steps = new Map<string, LoadCounts>();
  let step = stepOf('start');
  const open = new Set<Promise<void>>();
  const started = performance.now();
  let planned = 0;

  function stepOf(label: string): LoadCounts {
    const counts = steps.get(label) ?? emptyCounts();
    steps.set(label, counts);
    return counts;
  }
  const sendOne = () => {
    const both = [total, step];
    if (open.size >= concurrency) {
      for (const counts of both) counts.held += 1;
      return;
    }
    // Spread evenly, so that the share holds over any stretch: every time the running total passes a whole number.
    const isLong = Math.floor(planned * longShare) > Math.floor((planned - 1) * longShare);
    for (const counts of both) counts.sent += 1;
    const done = send(isLong ? longUrl : new URL(url), agent, timeoutMs).then((outcome) => {
      for (const counts of both) count(counts, outcome);
      open.delete(done);
    });
    open.add(done);
  };
  const timer = setInterval(() => {
    const elapsed = Math.min((performance.now() - started) / 1000, maxSeconds);
    for (const due = Math.floor(elapsed * ratePerSecond); planned < due; ) {
      planned += 1;
      sendOne();
    }
    if (elapsed >= maxSeconds) clearInterval(timer);
  }, tickMs);
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(open);
    agent.destroy();
    return total;
  };
  return {
    total,
    steps,
    mark: (label) => {
      step = stepOf(label);
      return step;
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

type Outcome = { readonly status: number } | { readonly error: string };

/** Never rejects. */
function send(url: URL, agent: Agent, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const failed = (error: Error & { code?: string }) =>
      resolve({ error: signal.aborted ? 'timeout' : (error.code ?? error.message) });
    const outgoing = request(url, { agent, signal }, (response) => {
      response.on('error', failed);
      response.on('end', () => resolve({ status: response.statusCode ?? 0 }));
      response.resume();
    });
    outgoing.on('error', failed);
    outgoing.end();
  });
}

function count(counts: LoadCounts, outcome: Outcome): void {
  const error =
    'error' in outcome ? outcome.error : outcome.status >= 500 ? String(outcome.status) : undefined;
  if ('status' in outcome) counts.byStatus[outcome.status] = (counts.byStatus[outcome.status] ?? 0) + 1;
  if (error === undefined) {
    counts.ok += 1;
  } else {
    counts.failed += 1;
    counts.errors[error] = (counts.errors[error] ?? 0) + 1;
  }
}

function emptyCounts(): LoadCounts {
  return { sent: 0, ok: 0, failed: 0, held: 0, byStatus: {}, errors: {} };
}
