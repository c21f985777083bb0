import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isSafeName } from '../../shared/haproxy/commands.ts';
import { describeLabelProblem, labels, olderLabels, readLabels, writeLabels } from '../../shared/labels.ts';

const problemsOf = (found: Record<string, string>) =>
  readLabels(found).problems.map(({ label, message }) => `${label} ${message}`);

describe('labels', () => {
  it('of Berth give every setting, and are written as they are read', () => {
    const settings = {
      service: 'web',
      backend: 'be_web',
      port: 8080,
      haproxy: 'lb1:9999,lb2',
      slotPrefix: 'node',
      network: 'front',
      policy: 'steady',
      min: 2,
      max: 10,
      warm: 1,
      availability: true,
      protect: false,
      naming: 'webapp_',
      clone: true,
      remade: true,
      parked: true,
      clonedFor: '0f3a',
      image: 'registry.test:5000/team/web:1.2',
    };
    const written = writeLabels(settings);
    assert.equal(Object.keys(written).length, Object.keys(labels).length);
    assert.deepEqual(readLabels(written), { settings, problems: [], isLabelled: true });
  });

  it('under their older names mean the same', () => {
    const { settings, problems, isLabelled } = readLabels({
      haproxy_host: '10.0.0.1',
      haproxy_port: '9998',
      container_haproxy_backend: 'be_web',
      container_haproxy_node: 'node',
      container_haproxy_backend_app_port: '3128',
      container_service_name: 'web',
      container_policy_name: 'p1',
      autoscale_min_instances: '1',
      autoscale_max_instance: '5',
      service_availability: 'true',
      container_naming_convention: 'webapp_',
    });
    assert.deepEqual(problems, []);
    assert.equal(isLabelled, true);
    assert.deepEqual(settings, {
      haproxy: '10.0.0.1:9998',
      backend: 'be_web',
      slotPrefix: 'node',
      port: 3128,
      service: 'web',
      policy: 'p1',
      min: 1,
      max: 5,
      availability: true,
      naming: 'webapp_',
    });
  });

  it("of Berth's own names go before the older ones", () => {
    const { settings } = readLabels({
      'berth.service': 'new',
      container_service_name: 'old',
      'berth.haproxy': 'lb1',
      haproxy_host: 'lb2',
      haproxy_port: '1234',
    });
    assert.deepEqual(settings, { service: 'new', haproxy: 'lb1' });
  });

  it('of others do not make a container one of Berth', () => {
    const found = { maintainer: 'x', policy_name: 'backup', service_availability: '99.9', 'berth.test': '1' };
    assert.equal(readLabels(found).isLabelled, false);
    assert.equal(readLabels({}).isLabelled, false);
  });

  const bad: [string, string, RegExp][] = [
    ['berth.service', 'web; disable server be/s1', /is not a name/],
    ['berth.service', '', /is not a name/],
    ['berth.service', 'a\nb', /is not a name/],
    ['berth.service', 'x'.repeat(129), /is not a name/],
    ['berth.service', 'wéb', /is not a name/],
    ['berth.backend', 'be/web', /is not a name/],
    ['berth.slot-prefix', 'node 1', /is not a name/],
    ['container_haproxy_node', 'node;x', /is not a name/],
    ['berth.port', '99999', /is not a port/],
    ['berth.port', '0', /is not a port/],
    ['berth.port', '-1', /is not a port/],
    ['berth.port', '80.5', /is not a port/],
    ['berth.port', '0x50', /is not a port/],
    ['berth.port', '٨٠', /is not a port/],
    ['berth.port', '80/tcp', /is not a port/],
    ['haproxy_port', '9999x', /is not a port/],
    ['berth.haproxy', 'lb1,,lb2', /does not name HAProxys/],
    ['berth.haproxy', 'lb1:99999', /does not name HAProxys/],
    ['haproxy_host', 'http://lb1', /does not name HAProxys/],
    ['berth.min', '-1', /is not a count/],
    ['berth.min', '1e3', /is not a count/],
    ['berth.max', 'many', /is not a count/],
    ['berth.warm', '9999999', /is not a count/],
    ['berth.availability', 'maybe', /is neither true nor false/],
    ['berth.policy', 'a b', /is not a name/],
    ['berth.network', '../x', /is not a name for Docker/],
    ['berth.naming', '-x', /is not a name for Docker/],
    ['berth.image', '../../x', /is not an image reference/],
  ];
  for (const [label, value, expected] of bad) {
    it(`report ${label}=${JSON.stringify(value.slice(0, 30))} and leave it out`, () => {
      const { settings, problems } = readLabels({ [label]: value, 'berth.policy-free': 'x' });
      assert.equal(problems.length, 1);
      const [problem] = problems;
      assert.ok(problem !== undefined);
      assert.equal(problem.label, label);
      assert.match(problem.message, expected);
      assert.ok(describeLabelProblem(problem).includes(problem.mend));
      assert.deepEqual(settings, {});
    });
  }

  it('are trimmed, and take true and false in their usual spellings', () => {
    for (const text of ['true', 'TRUE', ' yes ', 'on', '1'])
      assert.equal(readLabels({ 'berth.availability': text }).settings.availability, true);
    for (const text of ['false', 'No', 'off', '0'])
      assert.equal(readLabels({ 'berth.availability': text }).settings.availability, false);
    assert.equal(readLabels({ 'berth.port': ' 80 ' }).settings.port, 80);
  });

  it('protect a container also when what berth.protect says can not be read', () => {
    const { settings, problems } = readLabels({ 'berth.protect': 'treu' });
    assert.equal(settings.protect, true);
    assert.equal(problems.length, 1);
    assert.equal(readLabels({ 'berth.protect': 'false' }).settings.protect, false);
    assert.equal(readLabels({}).settings.protect, undefined);
  });

  it('report a smallest count above the largest', () => {
    assert.deepEqual(problemsOf({ 'berth.min': '5', 'berth.max': '2' }), [
      'berth.min is above the largest count, 2',
    ]);
    assert.deepEqual(readLabels({ 'berth.min': '5', 'berth.max': '2' }).settings, { max: 2 });
  });

  it('report a misspelled name with the one that was meant', () => {
    const { problems, isLabelled } = readLabels({ 'berth.sevice': 'web' });
    assert.equal(problems[0]?.mend, 'did you mean berth.service?');
    assert.equal(isLabelled, true);
  });

  it('never throw, and let no unsafe name through, whatever they hold', () => {
    const names = fc.oneof(
      fc.constantFrom(...Object.values(labels), 'haproxy_host', 'haproxy_port', '__proto__'),
      fc.string(),
    );
    const values = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom('web', '80', 'true', 'lb1:1'),
    );
    fc.assert(
      fc.property(fc.dictionary(names, values), (found) => {
        const { settings, problems } = readLabels(found);
        for (const name of [settings.service, settings.backend, settings.slotPrefix, settings.policy])
          assert.ok(name === undefined || isSafeName(name));
        assert.ok(settings.port === undefined || (settings.port >= 1 && settings.port <= 65535));
        assert.ok(problems.every(({ value }) => value.length <= 200));
        assert.deepEqual(readLabels(writeLabels(settings)).settings, settings);
      }),
      { numRuns: 500 },
    );
  });
});

it('every label and each of its older names is in docs/services.md', () => {
  const page = readFileSync(new URL('../../docs/services.md', import.meta.url), 'utf8');
  const names = [...Object.values(labels), ...Object.values(olderLabels).flat()];
  // `x_instance` is said as "also …_instance".
  const written = names.filter((name) => !/_instance$/.test(name));
  assert.deepEqual(
    written.filter((name) => !page.includes(`\`${name}\``)),
    [],
  );
});
