// Prometheus, Alertmanager and Berth's inbox, all real: an alert rule fires, is repeated, and is resolved.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { AlertInbox } from '../../coordinator/alerts/alert-inbox.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { startAlertmanager } from '../bench/alertmanager.ts';
import { startPrometheus } from '../bench/prometheus.ts';
import { freePort, until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { serveAlerts, token } from './alert-server.ts';
import { allRows } from './inbox-suite.ts';

async function openChain(t: TestContext) {
  const store = await openStore(parseDatabaseUrl('sqlite::memory:'));
  const inbox = new AlertInbox({ store, log: memoryLog(), clock: systemClock });
  const server = await serveAlerts(inbox, systemClock);
  t.after(async () => {
    await server.stop();
    await store.close();
  });
  return { inbox, webhook: `${server.url}/api/v1/alerts/alertmanager` };
}

/** An app whose queue is as long as the test says. */
async function startApp(t: TestContext): Promise<{ address: string; queue: { length: number } }> {
  const queue = { length: 0 };
  const address = `127.0.0.1:${await freePort()}`;
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain');
    response.end(`# TYPE queue_length gauge\nqueue_length{service="worker"} ${queue.length}\n`);
  });
  await new Promise<void>((resolve) => server.listen(Number(address.split(':')[1]), '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address, queue };
}

describe('Prometheus and Alertmanager', () => {
  it('fire an alert that acts once however often it is repeated, and resolve it', async (t) => {
    const { inbox, webhook } = await openChain(t);
    const app = await startApp(t);
    const alertmanager = await startAlertmanager({ webhook, token });
    t.after(() => alertmanager.stop());
    const folder = mkdtempSync(join(tmpdir(), 'berth-rules-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const rules = join(folder, 'rules.json');
    const rule = {
      alert: 'QueueLong',
      expr: 'queue_length > 100',
      labels: { severity: 'warning', berth_direction: 'up' },
      annotations: {
        berth_step: '{{ with query "ceil(queue_length / 100)" }}{{ . | first | value }}{{ end }}',
      },
    };
    writeFileSync(rules, JSON.stringify({ groups: [{ name: 'queues', rules: [rule] }] }));
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
      scrape_configs: [{ job_name: 'app', static_configs: [{ targets: [app.address] }] }],
    };
    const prometheus = await startPrometheus({
      config: JSON.stringify(config),
      args: ['--rules.alert.resend-delay=1s'],
    });
    t.after(() => prometheus.stop());

    app.queue.length = 240;
    const alert = await until(() => inbox.active('worker')[0], {
      what: 'the alert acts',
      deadlineMs: 30_000,
    });
    assert.partialDeepStrictEqual(alert, { name: 'QueueLong', severity: 'warning', step: 3 });
    const repeats = async () => (await allRows(inbox)).reduce((sum, row) => sum + row.repeats, 0);
    await until(async () => (await repeats()) >= 2, { what: 'it was repeated twice', deadlineMs: 30_000 });
    assert.equal(inbox.active('worker').length, 1);
    app.queue.length = 0;
    await until(() => inbox.active('worker').length === 0, { what: 'it is resolved', deadlineMs: 30_000 });
    const rows = await allRows(inbox);
    assert.deepEqual(
      rows.map(({ status, service }) => [status, service]),
      [['resolved', 'worker']],
    );
    app.queue.length = 150;
    await until(() => inbox.active('worker').length === 1, { what: 'it fires again', deadlineMs: 30_000 });
    assert.equal((await allRows(inbox)).length, 2);
  });

  it('hand over a burst in groups: every alert is there once, a wrong one among them as failed', async (t) => {
    const { inbox, webhook } = await openChain(t);
    const alertmanager = await startAlertmanager({ webhook, token, repeatInterval: '1h' });
    t.after(() => alertmanager.stop());
    const startsAt = new Date().toISOString();
    const alerts = Array.from({ length: 2000 }, (_, index) => ({
      labels: {
        alertname: `Rule${index % 20}`,
        instance: `i${index}`,
        service: `s${index % 100}`,
        berth_direction: index === 1000 ? 'sideways' : 'up',
      },
      startsAt,
    }));
    const send = () =>
      fetch(`${alertmanager.url}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(alerts),
      });
    assert.equal((await send()).status, 200);
    await until(() => inbox.status().live === 1999, { what: '1,999 alerts are live', deadlineMs: 30_000 });
    assert.equal((await send()).status, 200);
    const failed = await until(async () => (await inbox.list({ state: 'failed' }, undefined, 10)).items, {
      what: 'the wrong one is shown',
    });
    assert.match(failed[0]?.reason ?? '', /^labels.berth_direction is "sideways"/);
    assert.equal(inbox.active('s7').length, 20);
    assert.equal(inbox.status().live, 1999);
  });
});
