import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './app.ts';
import { startLoad } from './load.ts';
import { until } from './wait.ts';

test('load keeps its count, by step and by kind of failure', async () => {
  await using app = await startApp();
  await using load = startLoad({ url: app.url, ratePerSecond: 100, maxSeconds: 20, longShare: 0.1 });
  const { total } = load;
  await until(() => (total.byStatus[200] ?? 0) >= 40, { what: '40 requests are answered' });
  await fetch(`${app.url}/health/503`, { method: 'POST' });
  const gone = load.mark('app is gone');
  await app.stop(0);
  // One that was under way just then may fail in another way.
  await until(() => (gone.errors['ECONNREFUSED'] ?? 0) >= 20, { what: '20 requests are refused' });
  await load.stop();
  assert.equal(total.ok + total.failed, total.sent);
  assert.equal(load.steps.get('app is gone'), gone);
});

test('a 5xx answer and no answer in time are failures', async () => {
  await using app = await startApp();
  await fetch(`${app.url}/health/503`, { method: 'POST' });
  const bad = startLoad({ url: `${app.url}/healthz`, ratePerSecond: 100, maxSeconds: 0.1 });
  await until(() => bad.total.failed === 10, { what: 'all ten failed' });
  assert.deepEqual((await bad.stop()).errors, { 503: 10 });
  const slow = startLoad({
    url: `${app.url}/slow?ms=5000`,
    ratePerSecond: 50,
    maxSeconds: 0.1,
    timeoutMs: 100,
  });
  await until(() => slow.total.failed === 5, { what: 'all five failed' });
  assert.deepEqual((await slow.stop()).errors, { timeout: 5 });
});

test('load stays within its concurrency and says what it held back', async () => {
  await using app = await startApp();
  const load = startLoad({
    url: `${app.url}/slow?ms=300`,
    ratePerSecond: 100,
    maxSeconds: 0.2,
    concurrency: 4,
  });
  await until(() => load.total.held > 0 && load.total.sent + load.total.held === 20, {
    what: 'all are accounted for',
  });
  assert.equal((await load.stop()).failed, 0);
});

test('load ends by itself', async () => {
  await using app = await startApp();
  const load = startLoad({ url: app.url, ratePerSecond: 50, maxSeconds: 0.2 });
  await until(() => load.total.ok === 10, { what: 'ten requests were answered' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(load.total.sent, 10);
});
