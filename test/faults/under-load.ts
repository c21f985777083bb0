// Does a fault while traffic flows, waits until the invariant holds, and counts what became of the requests. The test
// says how many may fail; the numbers are shown either way.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Load, type LoadCounts, type LoadOptions, startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import type { Stage, WholeOptions } from './stage.ts';

export interface UnderLoadOptions extends WholeOptions {
  /** At most so many requests may fail; an orderly thing fails none. */
  mayFail: number;
  load?: Partial<LoadOptions>;
}

/** Requests that are answered before and after the deed, so that it happens in the midst of traffic. */
const around = 20;

export async function underLoad(
  t: TestContext,
  stage: Stage,
  options: UnderLoadOptions,
  act: (load: Load) => Promise<unknown>,
): Promise<LoadCounts> {
  const url = `${stage.haproxy.url()}/`;
  await using load = startLoad({ url, ratePerSecond: 60, maxSeconds: 60, concurrency: 600, ...options.load });
  await flowing(load);
  const started = performance.now();
  await act(load);
  const done = performance.now();
  await stage.whole(options);
  const whole = performance.now();
  await flowing(load);
  // It was not whole by chance in the midst of a change.
  await stage.whole({ ...options, withinMs: 1000 });
  const counts = await load.stop();
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const failed = describeFailed(counts);
  t.diagnostic(
    `${counts.sent} requests, ${failed}; done in ${seconds(done - started)}, whole ${seconds(whole - done)} later`,
  );
  assert.equal(counts.held, 0, 'the load kept its pace');
  assert.ok(counts.failed <= options.mayFail, `${failed}, and ${options.mayFail} may`);
  return counts;
}

/** Resolves when so many more requests have been answered well. */
export async function flowing(load: Load, answers = around): Promise<void> {
  const goal = load.total.ok + answers;
  await until(() => load.total.ok >= goal, { what: `${answers} requests are answered`, deadlineMs: 20_000 });
}

function describeFailed({ failed, errors }: LoadCounts): string {
  const kinds = Object.entries(errors).map(([kind, count]) => `${count} x ${kind}`);
  return `${failed} failed${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}`;
}
