// Every action that an ElastAlert document may ask for (REQUIREMENTS 49, 53, 54, 58), posted to a coordinator that acts
// on a Docker Engine: nested with one spelling of each field, then dotted with the other. The containers are counted
// afterwards, and the audit names the alert with each act.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Document, dotted, endAlert, nested, postAlert, readSample } from './alert-documents.ts';
import type { AuditItem } from './coordinator.ts';
import { Stage } from './stage.ts';

const otherSpelling: Readonly<Record<string, string>> = {
  autoscale_max_instance: 'autoscale_max_instances',
  autoscale_min_instance: 'autoscale_min_instances',
  policy_name: 'container_policy_name',
  naming_convention: 'container_naming_convention',
};

/** With the one spelling of each field, or with the other. */
function spelled(document: Document, other: boolean): Document {
  const names = Object.entries(otherSpelling).map(([one, two]) => (other ? [one, two] : [two, one]));
  const renamed = new Map(names as [string, string][]);
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [renamed.get(key) ?? key, value]));
}

const ways = [
  { name: 'nested', write: (document: Document) => spelled(nested(document), false) },
  { name: 'dotted', write: (document: Document) => spelled(dotted(document), true) },
];

describe('the actions of ElastAlert', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 10 });
    await stage.apps(2);
  });
  after(() => stage[Symbol.asyncDispose]());

  const first = async () => {
    const one = (await stage.view()).instances.find(({ clone }) => !clone);
    return one ?? assert.fail('there is one');
  };
  const newest = async () => {
    const [one] = (await stage.view()).instances.toSorted((a, b) => (a.name < b.name ? 1 : -1));
    return one ?? assert.fail('there is one');
  };

  /** Rows of a service; a row is written a moment after its act. */
  async function auditOf(
    since: number,
    service: string,
    enough: (rows: readonly AuditItem[]) => boolean,
  ): Promise<AuditItem[]> {
    let rows: AuditItem[] = [];
    await stage.wait(
      async () => {
        rows = await stage.coordinator.audit(since, { service });
        return enough(rows);
      },
      () => `the audit tells of it, not only ${JSON.stringify(rows)}`,
    );
    return rows;
  }

  const steps = [
    { sample: 'elastalert-scale-up.json', to: 3, act: 'instance.created' },
    { sample: 'elastalert-scale-down.json', to: 2, act: 'instance.drained' },
    { sample: 'elastalert-scale-up-node.json', to: 3, act: 'instance.created' },
    { sample: 'elastalert-scale-down-node.json', to: 2, act: 'instance.stopped' },
    {
      sample: 'elastalert-scale-up-service.json',
      to: 4,
      act: 'instance.created',
      more: { autoscale_step: '2' },
    },
    { sample: 'elastalert-scale-down-service.json', to: 2, act: 'instance.stopped' },
    { sample: 'elastalert-haproxy-scale-up.json', to: 3, act: 'instance.created' },
    { sample: 'elastalert-haproxy-scale-down.json', to: 2, act: 'instance.drained' },
  ];
  for (const way of ways)
    for (const { sample, to, act, more = {} } of steps)
      it(`${sample.slice(11, -5)}, ${way.name}, leads to ${to}`, async (t) => {
        const since = Date.now();
        // One that is just being removed may still be listed.
        const from = (await stage.containers()).filter(({ state }) => state === 'running').length;
        // The clones come and go; the first container stays.
        const about = sample.includes('down-node') ? await newest() : await first();
        const rule = `${sample.slice(11, -5)} ${way.name}`;
        // A search of Elasticsearch wraps what the rule wrote, whatever its spelling.
        const whole = await readSample(stage, sample, about);
        const body = (nested(whole)['_source'] as Document | undefined)?.['match_body'] ?? whole;
        const document = way.write({ ...(body as Document), ...more, rule_name: rule });
        const row = await postAlert(stage, document);
        t.after(() => endAlert(stage, row.fingerprint));
        assert.deepEqual(
          [row.state, row.name, row.service ?? 'app'],
          ['processed', rule, sample.includes('haproxy') ? 'app' : stage.service],
          row.reason,
        );
        await stage.settled(to);
        const count = Math.abs(to - from);
        const audit = await auditOf(
          since,
          stage.service,
          (rows) => rows.filter(({ event }) => event === act).length >= count,
        );
        const decided = audit.find(({ event }) => event === 'scale.decided');
        assert.deepEqual(
          [decided?.alert, Number(decided?.from), Number(decided?.to), decided?.policy],
          [rule, from, to, `alerts:${stage.service}`],
        );
        if (sample.endsWith('-up.json') || sample.endsWith('scale-down.json'))
          assert.ok(decided?.metric != null && decided.value !== null, 'the metric that the alert carries');
        const acts = audit.filter(({ event }) => event === act);
        assert.equal(acts.length, count, JSON.stringify(audit));
        for (const each of acts) {
          assert.deepEqual([each.alert, each.outcome], [rule, 'ok']);
          assert.ok(each.container && each.host && each.reason);
        }
        if (sample.includes('down-node'))
          assert.deepEqual(
            acts.map(({ container }) => container),
            [about.container],
          );
      });

  for (const [index, way] of ways.entries())
    it(`service-availability, ${way.name}, brings back one that was ${['stopped', 'deleted'][index]}`, async () => {
      const service = `${stage.service}-${way.name}`;
      await stage.app({ service });
      await stage.wait(async () => (await stage.view(service)).cloneable, 'it serves', 20_000, service);
      const [one] = (await stage.view(service)).instances;
      if (one === undefined) return assert.fail('there is one');
      await stage.engine.run(index === 0 ? ['stop', '-t', '20', one.container] : ['rm', '-f', one.container]);
      await stage.wait(async () => (await stage.view(service)).current === 0, 'it is away', 20_000, service);
      const since = Date.now();
      const text = JSON.stringify(await readSample(stage, 'elastalert-service-availability.json', one));
      const rule = `away ${way.name}`;
      const document = JSON.parse(text.replaceAll(`"${stage.service}"`, `"${service}"`)) as Document;
      const row = await postAlert(stage, way.write({ ...document, rule_name: rule }));
      assert.equal(row.state, 'processed', row.reason);
      await stage.serving(1, service);
      assert.equal((await stage.containers(service)).length, 1);
      const audit = await auditOf(since, service, (rows) =>
        rows.some(({ event }) => /^instance\.(started|created)$/.test(event)),
      );
      const acts = audit.filter(({ event }) => /^instance\.(started|created)$/.test(event));
      assert.deepEqual(
        acts.map(({ event, alert, outcome }) => [event, alert, outcome]),
        [[index === 0 ? 'instance.started' : 'instance.created', rule, 'ok']],
      );
    });

  it('service-availability brings back one that bounds by label have let go of', async () => {
    const service = `${stage.service}-bounds`;
    await stage.apps(2, { service, labels: { 'berth.min': '1', 'berth.max': '4' } });
    const [one] = (await stage.view(service)).instances;
    if (one === undefined) return assert.fail('there is one');
    await stage.engine.run(['rm', '-f', one.container]);
    await stage.wait(async () => (await stage.view(service)).wanted === 1, 'one is wanted', 20_000, service);
    const since = Date.now();
    const { state, reason } = await postAlert(stage, {
      rule_name: 'bounds',
      action: 'service_availability',
      service,
    });
    assert.equal(state, 'processed', reason);
    await stage.serving(2, service);
    const rows = await auditOf(since, service, (all) =>
      all.some(({ event }) => event === 'instance.created'),
    );
    const decided = rows.find(({ event }) => event === 'scale.decided');
    assert.deepEqual(
      [decided?.alert, Number(decided?.from), Number(decided?.to), (await stage.view(service)).wanted],
      ['bounds', 1, 2, 2],
    );
  });
});
