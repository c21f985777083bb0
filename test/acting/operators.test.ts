// What people and their tools say to a running coordinator: alerts, numbers set by hand, pauses, and policies that are
// written, changed and deleted at run time.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { InstanceView } from './stage.ts';
import { type ServiceView, Stage } from './stage.ts';

const samples = join(import.meta.dirname, '..', 'alerts', 'samples');

interface Inbox {
  items: { name: string; state: string; reason: string; service: string | null }[];
}

interface PolicyView {
  name: string;
  service: string;
  minReplicas: number;
  maxReplicas: number;
  origins: Record<string, string>;
}

describe('a coordinator that is spoken to', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10, policies: 'policies: []\n' });
    await stage.apps(2);
  });
  after(() => stage[Symbol.asyncDispose]());

  const wanted = (count: number) =>
    stage.wait(async () => (await stage.view()).wanted === count, `${count} are wanted`, 10_000);
  const policies = () =>
    stage.coordinator.read<{ items: PolicyView[]; problems: string[] }>('/api/v1/policies');

  /** Posts a sample as it is, about this stage's service; when it has been answered, its row. */
  async function post(sample: string, about?: InstanceView): Promise<Inbox['items'][number]> {
    const one = about ?? (await stage.view()).instances[0] ?? assert.fail();
    const text = (await readFile(join(samples, sample), 'utf8'))
      .replaceAll(/\b(?:webapp|worker)_\d\b/g, one.name)
      .replaceAll(/[0-9a-f]{64}/g, one.container)
      .replaceAll(/"(?:webapp|worker)"/g, `"${stage.service}"`)
      .replaceAll(/2026-03-02T[0-9:.]+Z/g, new Date().toISOString());
    const [dialect] = sample.split('-');
    await stage.coordinator.write('POST', `/api/v1/alerts/${dialect}`, JSON.parse(text));
    let row: Inbox['items'][number] | undefined;
    await stage.wait(async () => {
      [row] = (await stage.coordinator.read<Inbox>('/api/v1/alerts?limit=1')).items;
      return row !== undefined && row.state !== 'unprocessed';
    }, `${sample} is answered`);
    return row ?? assert.fail();
  }

  /** Ends the alerts that live, so that the next one is heard alone. */
  const hush = async (count: number) => {
    const match = { service: stage.service };
    await stage.coordinator.write('POST', '/api/v1/silences', {
      match,
      for: '10m',
      by: 'test',
      why: 'a test',
    });
    await stage.scale(count);
    await stage.settled(count);
  };

  it('scales up by one for scale_up, once, however often it comes', async () => {
    const row = await post('elastalert-scale-up.json');
    assert.deepEqual([row.state, row.service], ['processed', stage.service], row.reason);
    await wanted(3);
    const sample = JSON.parse(
      (await readFile(join(samples, 'elastalert-scale-up.json'), 'utf8'))
        .replaceAll('webapp', stage.service)
        .replaceAll('2026-03-02T09:59:30.000Z', new Date().toISOString()),
    );
    const hundred = await Promise.all(
      Array.from({ length: 100 }, () =>
        stage.coordinator.write<{ accepted: number; skipped: number }>(
          'POST',
          '/api/v1/alerts/elastalert',
          sample,
        ),
      ),
    );
    assert.equal(hundred.length, 100);
    await stage.settled(3);
    assert.equal((await stage.view()).wanted, 3);
  });

  it('skips scale_down while another alert asks for more, and says so', async () => {
    const row = await post('elastalert-scale-down.json');
    assert.equal(row.state, 'skipped');
    assert.match(row.reason, /stays at 3/);
  });

  it('takes an alert about a HAProxy backend for the service that is in it', async () => {
    const row = await post('elastalert-haproxy-scale-up.json');
    assert.equal(row.state, 'processed', row.reason);
    await wanted(4);
  });

  it('says that nobody knows the service', async () => {
    await stage.coordinator.write('POST', '/api/v1/alerts/generic', { service: 'nobody', direction: 'up' });
    await stage.wait(async () => {
      const [row] = (await stage.coordinator.read<Inbox>('/api/v1/alerts?limit=1')).items;
      return row?.state === 'failed' && /no service nobody/.test(row.reason);
    }, 'the row has failed');
  });

  it('sets the number by hand for a time, and by then goes back', async () => {
    const view = await stage.scale(5, { for: '10m' });
    assert.equal(view.override?.replicas, 5);
    await stage.serving(5);
    await stage.scale(5, { for: '1s' });
    await wanted(4);
    await stage.settled(4);
  });

  it('shows the steps of a number without doing them, and does the same when it is meant', async () => {
    const preview = (replicas: number) =>
      stage.coordinator.write<ServiceView>('POST', `/api/v1/services/${stage.service}/scale`, {
        replicas,
        dryRun: true,
      });
    const steps = ({ plan }: ServiceView) => plan.map(({ step, instance }) => [step, instance]);
    assert.deepEqual(steps(await preview(6)), [
      ['create', null],
      ['create', null],
    ]);
    assert.deepEqual(steps(await preview(4)), []);
    const down = steps(await preview(2));
    assert.deepEqual(
      down.map(([step]) => step),
      ['drain', 'drain'],
    );
    const { wanted: still, override } = await stage.view();
    assert.deepEqual([still, override], [4, null]);
    const since = Date.now();
    await stage.scale(2, { for: '10m' });
    await stage.settled(2);
    const drained = await stage.coordinator.audit(since, { event: 'instance.drained' });
    assert.deepEqual(
      drained.map(({ reason }) => reason.split(':')[0]).toSorted(),
      down.map(([, name]) => name).toSorted(),
    );
    await stage.scale(null);
    await stage.settled(4);
  });

  it('takes a policy at run time, and another number with its next version', async () => {
    const service = stage.service;
    const policy = (minReplicas: number) => ({
      service,
      minReplicas,
      maxReplicas: 6,
      interval: '250ms',
      metrics: [
        {
          name: 'n',
          source: { type: 'pushed', metric: 'n' },
          target: { type: 'AverageValue', averageValue: 1 },
        },
      ],
    });
    const written = await stage.coordinator.write<PolicyView>('PUT', '/api/v1/policies/mine', policy(5));
    assert.equal(written.origins['policy'], 'database');
    await wanted(5);
    await stage.coordinator.write('PUT', '/api/v1/policies/mine', policy(6));
    await wanted(6);
    await assert.rejects(stage.coordinator.write('PUT', '/api/v1/policies/second', policy(2)), /409/);
    await assert.rejects(
      stage.coordinator.write('PUT', '/api/v1/policies/mine', { ...policy(7) }),
      /4\d\d.*minReplicas/,
    );
    assert.equal((await stage.view()).policy, 'mine');
  });

  it('prefers the database to the file, and the file again when the policy is deleted', async () => {
    const text = (max: number) =>
      `policies:\n  - name: filed\n    service: ${stage.service}\n    minReplicas: 1\n    maxReplicas: ${max}\n    metrics:\n      - name: n\n        source: { type: pushed, metric: n }\n        target: { type: AverageValue, averageValue: 1 }\n`;
    await writeFile(stage.policyFile, text(6));
    await stage.wait(
      async () =>
        (await stage.coordinator.audit(0)).length > 0 && stage.coordinator.output().includes('1 policies'),
      'the file is read',
    );
    assert.equal((await stage.view()).policy, 'mine');
    await stage.coordinator.write('DELETE', '/api/v1/policies/mine');
    await stage.wait(
      async () => (await stage.view()).policy === 'filed',
      'the policy of the file is in force',
    );
    await writeFile(stage.policyFile, text(-1));
    await stage.wait(async () => (await policies()).problems.length > 0, 'the new version is refused');
    const [kept] = (await policies()).items.filter(({ service }) => service === stage.service);
    assert.deepEqual([kept?.name, kept?.maxReplicas, kept?.origins['policy']], ['filed', 6, 'file']);
  });

  it('silences what it is told to, and goes on by hand', async () => {
    await writeFile(stage.policyFile, 'policies: []\n');
    await hush(2);
    const row = await post('elastalert-scale-up-service.json');
    assert.equal(row.state, 'skipped');
    assert.match(row.reason, /silence/i);
  });
});
