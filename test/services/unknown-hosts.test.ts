// A Docker host that does not answer: its instances count when it is asked whether some are missing, and not when it is
// asked whether some are too many; on them nothing is done.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Creations } from '../../coordinator/services/creations.ts';
import type { InstanceStep } from '../../coordinator/services/instance-step.ts';
import { planInstances, type ServicePlanning } from '../../coordinator/services/plan-instances.ts';
import { isActive, type ServiceInstance } from '../../coordinator/services/service-instance.ts';
import { activeByHost, unknownPart, whyUnknown } from '../../coordinator/services/unknown-hosts.ts';
import { unknownSize } from '../../coordinator/targets/docker/host-size.ts';
import type { HostObservation } from '../../coordinator/targets/docker/observation.ts';
import { instance as instanceOf } from './instance.ts';
import { planning } from './planning.ts';

const instance = (id: string, host: string, over: Partial<ServiceInstance> = {}) =>
  instanceOf(id, { host, ...over });

const plan = (instances: readonly ServiceInstance[], over: Partial<ServicePlanning>): InstanceStep[] =>
  planInstances(
    planning({
      instances,
      unknown: { hosts: new Set(['far']), unlisted: 0 },
      wanted: 4,
      minAvailable: 1,
      ...over,
    }),
  );
const acts = (steps: readonly InstanceStep[]) => steps.filter(({ kind }) => kind !== 'hold');
const kinds = (steps: readonly InstanceStep[]) =>
  acts(steps).map((step) => ('id' in step ? `${step.kind} ${step.id}` : step.kind));
const held = (steps: readonly InstanceStep[]) =>
  steps.flatMap(({ kind, reason }) => (kind === 'hold' ? [reason] : [])).join('; ');

const near = ['n1', 'n2'].map((id) => instance(id, 'near'));
const far = ['f1', 'f2'].map((id) => instance(id, 'far'));
const dead = { serving: false, notServingMs: 90_000, health: 'unhealthy' } as const;

describe('a service that spans a host which does not answer', () => {
  test('keeps its size: none is made a second time, none is replaced, and it says which host', () => {
    for (const away of [far, far.map((each) => ({ ...each, ...dead }))]) {
      const steps = plan([...near, ...away], {});
      assert.deepEqual(kinds(steps), []);
      assert.equal(
        held(steps),
        'Docker host far does not answer: 2 of the instances are there as last known',
      );
    }
  });
  test('grows on the others by what is wanted beyond all that may be there', () => {
    assert.deepEqual(kinds(plan([...near, ...far], { wanted: 6 })), ['create', 'create']);
    assert.deepEqual(kinds(plan([...near, ...far], { wanted: 6, creating: { active: 1, spare: 0 } })), [
      'create',
    ]);
  });
  test('shrinks only by what is too many without those that may be gone, and says what is left', () => {
    const steps = plan([...near, ...far], { wanted: 1 });
    assert.deepEqual(kinds(steps), ['drain n1']);
    assert.match(held(steps), /2 too many, which is left until it does/);
    const three = plan([...near, ...far], { wanted: 3 });
    assert.deepEqual(kinds(three), []);
    assert.match(held(three), /; 1 too many/);
  });
  test('replaces what is lost or sick on the hosts that answer', () => {
    assert.deepEqual(kinds(plan([near[0] ?? assert.fail(), ...far], {})), ['create']);
    const sick = instance('sick', 'near', dead);
    assert.deepEqual(kinds(plan([...near, sick, ...far], { wanted: 5 })), ['create']);
    // Whether enough serve without the sick one is not known before the host answers.
    assert.deepEqual(kinds(plan([...near, sick, instance('new', 'near'), ...far], { wanted: 5 })), []);
  });
  test('has nothing done to what is there: not started, removed, parked, stopped', () => {
    const drained = { phase: 'draining', serving: false, drainAgeMs: 99_000 } as const;
    const stopped = { state: 'exited', serving: false, phase: undefined } as const;
    const there = [
      ...far,
      instance('spare', 'far', drained),
      instance('parked', 'far', { ...drained, state: 'paused' }),
      instance('stopped', 'far', stopped),
    ];
    assert.deepEqual(kinds(plan([...near, ...there], { wanted: 4 })), []);
    // Its spares count as well, so that the warm pool is not filled twice, nor emptied on their account.
    assert.deepEqual(kinds(plan([...near, ...there], { wanted: 4, warm: 2 })), []);
    const here = instance('here', 'near', { ...drained, state: 'paused' });
    assert.deepEqual(kinds(plan([...near, ...there, here], { wanted: 4, warm: 1 })), []);
    assert.deepEqual(kinds(plan([...near, ...there], { wanted: 5 })), ['create']);
  });
  test('counts what an earlier run saw on a host that never answered this one', () => {
    const unknown = { hosts: new Set(['far']), unlisted: 2 };
    const steps = plan(near, { unknown });
    assert.deepEqual(kinds(steps), []);
    assert.match(held(steps), /Docker host far does not answer: 2 of/);
    assert.deepEqual(kinds(plan(near, { unknown, wanted: 5 })), ['create']);
  });
});

test('whatever its state, no step is on an instance there, and none goes or comes on their account', (t) => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
  const any = fc.record({
    host: fc.constantFrom('near', 'far'),
    state: fc.constantFrom('running', 'running', 'paused', 'exited') as fc.Arbitrary<
      ServiceInstance['state']
    >,
    phase: fc.constantFrom('ready', 'draining', 'starting') as fc.Arbitrary<ServiceInstance['phase']>,
    serving: fc.boolean(),
    notServingMs: fc.constantFrom(0, 90_000),
  });
  fc.assert(
    fc.property(
      fc.array(any, { maxLength: 10 }),
      fc.nat(8),
      fc.nat(2),
      fc.nat(2),
      (all, wanted, warm, unlisted) => {
        const instances = all.map(({ host, ...over }, index) =>
          instance(`i${index}`, host, { ...over, drainAgeMs: over.phase === 'draining' ? 99_000 : null }),
        );
        const unknown = { hosts: new Set(['far']), unlisted };
        const steps = plan(instances, { unknown, wanted, warm });
        const onFar = new Set(instances.filter(({ host }) => host === 'far').map(({ id }) => id));
        assert.ok(
          steps.every((step) => !('id' in step && onFar.has(step.id))),
          'a step on an unknown instance',
        );
        const active = instances.filter(isActive);
        const known = active.filter(({ host }) => host === 'near');
        const comes = steps.filter(
          ({ kind, ...step }) =>
            ['undrain', 'unpark', 'start'].includes(kind) ||
            (kind === 'create' && 'spare' in step && !step.spare),
        ).length;
        assert.ok(
          comes <= Math.max(0, wanted + 1 - active.length - unlisted),
          `${comes} come although ${active.length} and ${unlisted} may be there`,
        );
        const goes = steps.filter(
          (step) =>
            'id' in step && known.some(({ id }) => id === step.id) && ['drain', 'stop'].includes(step.kind),
        ).length;
        assert.ok(
          goes <= Math.max(0, known.length - wanted),
          `${goes} of ${known.length} go, ${wanted} wanted`,
        );
      },
    ),
    { seed, numRuns: 2000 },
  );
});

const known = (host: string): HostObservation => ({
  host,
  known: true,
  at: 1,
  instances: [],
  size: unknownSize,
});
const error = { code: 'docker.unavailable', message: 'no answer', hint: undefined } as const;
const away = (host: string, at: number | undefined): HostObservation => ({
  host,
  known: false,
  since: 1,
  error,
  at,
  instances: [],
  size: unknownSize,
});

describe('what is known of the hosts', () => {
  test('is the last listing, or what an earlier run left word of', () => {
    const before = { near: 7, far: 2, gone: 3 };
    const counts = activeByHost(before, [known('near'), away('far', undefined)], near);
    assert.deepEqual(counts, { near: 2, far: 2 });
    assert.equal(activeByHost(counts, [known('near'), away('far', undefined)], near), counts);
    assert.deepEqual(activeByHost(before, [known('near'), away('far', 5)], near), { near: 2 });
    assert.deepEqual(unknownPart(counts, [known('near'), away('far', undefined)]), {
      hosts: new Set(['far']),
      unlisted: 2,
    });
    assert.equal(unknownPart(counts, [known('near'), away('far', 5)]).unlisted, 0);
  });
  test('is enough to decide by unless all are away, or one that has instances was never listed', () => {
    const state = { wanted: 2, activeOn: { near: 2 } };
    assert.equal(whyUnknown(state, [known('near'), away('far', undefined)]), undefined);
    assert.equal(whyUnknown(state, [known('near'), away('far', 5)]), undefined);
    assert.match(whyUnknown(state, [away('near', 5), away('far', 5)]) ?? '', /near, far/);
    const there = { wanted: 2, activeOn: { far: 1 } };
    assert.match(whyUnknown(there, [known('near'), away('far', undefined)]) ?? '', /far does not answer/);
    assert.match(
      whyUnknown({ ...state, wanted: null }, [known('near'), away('far', undefined)]) ?? '',
      /far/,
    );
  });
});

describe('making instances on several hosts', () => {
  const hosts = [known('near'), known('far')];
  const need = { memoryBytes: undefined, cpuMilli: undefined };
  const on = (host: string, begunAt = 0) => ({
    ...{ service: 'web', host, spare: false, original: false, clonedFor: undefined },
    ...{ need, begunAt },
  });

  test('leaves alone the host on which it failed, for that service, and says why when none is left', () => {
    const creations = new Creations();
    creations.failed(on('far'), 'no such image', 0);
    assert.deepEqual([...creations.waiting('web', hosts, 500).keys()], ['far']);
    assert.deepEqual([...creations.waiting('other', hosts, 500)], []);
    assert.equal(
      creations.waiting('web', hosts, 500).get('far'),
      'on far the last try failed (no such image); the next one is in 1 s',
    );
    assert.deepEqual([...creations.waiting('web', hosts, 1500)], []);
  });
  test('counts tries beside each other as one, and waits longer after each further one', () => {
    const creations = new Creations();
    for (let tries = 0; tries < 8; tries += 1) creations.failed(on('far'), 'no such image', 1 + tries);
    assert.equal(creations.waiting('web', hosts, 1008).size, 0);
    creations.failed(on('far', 1001), 'no such image', 1001);
    assert.equal(creations.waiting('web', hosts, 2900).size, 1);
    assert.equal(creations.waiting('web', hosts, 3002).size, 0);
  });
  test('one that ends before it has served speaks against its host', () => {
    const creations = new Creations();
    creations.made(on('far'), 'c1');
    creations.prove(instance('c1', 'far', { state: 'exited', serving: false }), 0);
    assert.deepEqual([...creations.waiting('web', hosts, 500).keys()], ['far']);
    creations.made(on('far'), 'c2');
    creations.prove(instance('c2', 'far'), 600);
    assert.equal(creations.waiting('web', hosts, 600).size, 0);
  });
  test('one that does not come to serve does so too, also while Docker starts it again and again', () => {
    const creations = new Creations();
    const loops = (id: string, notServingMs: number) =>
      instance(id, 'far', { state: 'restarting', serving: false, notServingMs });
    for (const id of ['c1', 'c2']) creations.made(on('far'), id);
    for (const id of ['c1', 'c2']) creations.prove(loops(id, 29_000), 29_000);
    assert.equal(creations.waiting('web', hosts, 29_000).size, 0);
    for (const id of ['c1', 'c2']) creations.prove(loops(id, 31_000), 31_000);
    creations.made(on('far', 40_000), 'c3');
    creations.prove(loops('c3', 31_000), 71_000);
    const why = creations.waiting('web', hosts, 71_001).get('far') ?? '';
    assert.match(why, /c3 has not served since it was made.*in 2 s/, 'those made at once count once');
  });
  test('one that vanishes before it has served does so too, unless it was taken away on purpose', () => {
    const creations = new Creations();
    creations.made(on('far'), 'c1');
    creations.dismiss('c1');
    creations.forget(() => true, 0);
    assert.equal(creations.waiting('web', hosts, 1).size, 0);
    creations.made(on('far'), 'c2');
    creations.forget(() => true, 0);
    assert.match(creations.waiting('web', hosts, 500).get('far') ?? '', /it was gone before it served/);
  });
});
