// Alerts as they come in earnest: from Prometheus through Alertmanager, over and over, and ten thousand at once with a
// wrong one among them. Real containers come and go by them.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startAlertmanager } from '../bench/alertmanager.ts';
import { startPrometheus } from '../bench/prometheus.ts';
import { freePort, until } from '../bench/wait.ts';
import { endAlert, type InboxItem } from './alert-documents.ts';
import { Stage } from './stage.ts';

/** Without an alert it wants one instance. */
const policies = `policies:
  - name: one
    service: $SERVICE
    minReplicas: 1
    maxReplicas: 4
    interval: 500ms
    metrics:
      - name: one
        target: { type: Fixed, value: 1 }
    behavior:
      scaleDown: { stabilizationWindowSeconds: 1 }
`;

describe('alerts from outside', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10, policies });
    await stage.apps(1);
  });
  after(() => stage[Symbol.asyncDispose]());

  const post = <T>(documents: unknown) =>
    stage.coordinator.write<T>('POST', '/api/v1/alerts/generic', documents);

  it('a rule of Prometheus that fires brings an instance, and takes it away when it is resolved', async (t) => {
    const queue = { length: 0 };
    const address = `127.0.0.1:${await freePort()}`;
    const app = createServer((_, response) => response.end(`queue_length ${queue.length}\n`));
    await new Promise<void>((resolve) => app.listen(Number(address.split(':')[1]), '127.0.0.1', resolve));
    t.after(() => app.closeAllConnections());
    t.after(() => app.close());
    const webhook = `http://${stage.network.gateway}:${stage.coordinator.port}/api/v1/alerts/alertmanager`;
    await using alertmanager = await startAlertmanager({ webhook, token: stage.coordinator.token });
    const rules = join(stage.folder, 'rules.json');
    const labels = { service: stage.service, severity: 'warning', berth_direction: 'up' };
    const rule = { alert: 'QueueLong', expr: 'queue_length > 100', labels };
    await writeFile(rules, JSON.stringify({ groups: [{ name: 'queues', rules: [rule] }] }));
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager.address] }] }] },
      scrape_configs: [{ job_name: 'app', static_configs: [{ targets: [address] }] }],
    };
    await using _prometheus = await startPrometheus({
      config: JSON.stringify(config),
      args: ['--rules.alert.resend-delay=1s'],
    });
    const since = Date.now();
    queue.length = 240;
    await stage.settled(2, { deadlineMs: 60_000 });
    queue.length = 0;
    await stage.settled(1, { deadlineMs: 60_000 });
    const { items } = await stage.coordinator.read<{ items: InboxItem[] }>('/api/v1/alerts?limit=5');
    const row = items.find(({ name }) => name === 'QueueLong');
    assert.deepEqual([row?.status, row?.state], ['resolved', 'processed'], row?.reason);
    const audit = await stage.coordinator.audit(since, { service: stage.service });
    const created = audit.filter(({ event }) => event === 'instance.created');
    assert.deepEqual(
      created.map(({ alert }) => alert),
      ['QueueLong'],
    );
  });

  it('the same a hundred times acts once', async () => {
    const since = Date.now();
    const one = { rule: 'again', service: stage.service, direction: 'up' };
    await Promise.all(Array.from({ length: 100 }, () => post(one)));
    await stage.settled(2);
    const audit = await stage.coordinator.audit(since, { service: stage.service });
    assert.equal(audit.filter(({ event }) => event === 'instance.created').length, 1);
    const { items } = await stage.coordinator.read<{ items: (InboxItem & { fingerprint: string })[] }>(
      '/api/v1/alerts?limit=5',
    );
    const row = items.find(({ name }) => name === 'again');
    assert.equal(row?.repeats, 99);
    await endAlert(stage, row.fingerprint);
    await stage.settled(1);
  });

  it('ten thousand at once, one of them wrong, do not keep another from acting', async () => {
    const burst = Array.from({ length: 10_000 }, (_, index) => ({
      rule: `rule ${index}`,
      service: `other-${index % 50}`,
      direction: index === 5000 ? 'sideways' : 'up',
    }));
    const sent = post<{ outcomes: { state: string }[] }>(burst);
    await post({ rule: 'meanwhile', service: stage.service, direction: 'up' });
    await stage.settled(2);
    const { outcomes } = await sent;
    assert.equal(outcomes.length, 10_000);
    assert.equal(outcomes.filter(({ state }) => state === 'failed').length, 1);
    // And with all of them live it still goes the other way.
    await stage.coordinator.write('POST', '/api/v1/silences', {
      match: { name: 'meanwhile' },
      for: '1h',
      by: 'test',
      why: 'seen',
    });
    await stage.settled(1);
    await until(
      async () =>
        (await stage.coordinator.read<{ items: unknown[] }>('/api/v1/alerts?state=unprocessed&limit=1')).items
          .length === 0,
      { what: 'each of them is answered', deadlineMs: 30_000 },
    );
  });
});
