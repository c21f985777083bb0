// The container by which a service was begun comes back as itself when somebody deletes it, and never twice.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planInstances, type ServicePlanning } from '../../coordinator/services/plan-instances.ts';
import type { ServiceInstance } from '../../coordinator/services/service-instance.ts';
import { instance } from './instance.ts';
import { planning } from './planning.ts';

const original = { name: 'web', host: 'local' };
const mine = { clone: false } as const;

function told(instances: readonly ServiceInstance[], over: Partial<ServicePlanning> = {}): string[] {
  return planInstances(planning({ instances, original, ...over })).map((step) => {
    if (step.kind === 'create') return step.original === true ? 'create the original' : 'create';
    return step.kind === 'hold' ? step.reason : `${step.kind} ${step.name}`;
  });
}

describe('the container that people made', () => {
  it('is made again when it was deleted, beside its clones too', () => {
    assert.deepEqual(told([]), ['create the original']);
    assert.deepEqual(told([], { wanted: 3 }), ['create the original', 'create', 'create']);
    assert.deepEqual(told([instance('web_1')], { wanted: 2 }), ['create the original']);
  });

  it('is not made while it or another one that people made is there, whatever state it is in', () => {
    for (const there of [
      instance('web', mine),
      instance('web', { ...mine, byOperator: true }),
      instance('web-2', { ...mine, state: 'paused', phase: 'draining', serving: false, drainAgeMs: 1 }),
    ]) {
      assert.ok(!told([there], { wanted: 2 }).includes('create the original'), there.name);
    }
    assert.deepEqual(told([], { creating: { active: 1, spare: 0, original: true }, wanted: 2 }), ['create']);
    assert.deepEqual(told([], { original: undefined }), ['create']);
    // A clone has its name.
    assert.deepEqual(told([instance('web')], { wanted: 2 }), ['create']);
  });

  it('is not made on the word of a host that does not answer', () => {
    const unknown = { hosts: new Set(['local']), unlisted: 0 };
    assert.ok(!told([], { unknown }).includes('create the original'));
  });

  it('is waited for while it is being deleted: a clone would take its place; but not for ever', () => {
    const removing = instance('web', { ...mine, state: 'removing', serving: false, notServingMs: 200 });
    assert.deepEqual(told([removing]), ['1 more wanted, but web is being deleted']);
    assert.deepEqual(told([removing], { wanted: 2 }), ['1 more wanted, but web is being deleted', 'create']);
    assert.deepEqual(told([{ ...removing, notServingMs: 60_000 }]), ['create']);
  });

  it('that a coordinator left half made is deleted and made anew, not started, and no clone takes its place', () => {
    const half = instance('web', {
      ...mine,
      remade: true,
      state: 'created',
      serving: false,
      phase: undefined,
    });
    assert.deepEqual(told([{ ...half, seenAgeMs: 100 }]), ['1 more wanted, but web was not finished']);
    assert.deepEqual(told([half]), ['1 more wanted, but web was not finished', 'remove web']);
    // Somebody's own `docker create` is started, as before.
    assert.deepEqual(told([{ ...half, remade: false }]), ['start web']);
  });
});
