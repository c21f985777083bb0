// What becomes of a service without a policy while alerts come, end and come again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertStage } from './alert-stage.ts';

const up = { action: 'scale_up' };

test('an alert that ends and fires again scales up again, and each firing is answered by its own decision', async (t) => {
  const stage = await alertStage(t);
  const first = await stage.post(up);
  await stage.until(() => stage.row(first).startsWith('processed'), 'it is answered');
  assert.equal(stage.wanted(), 4);
  assert.match(stage.row(first), /^processed: 3 to 4/);
  await stage.evaluate(3);
  assert.equal(stage.wanted(), 4, 'one firing acts once');
  await stage.resolve(up);
  // Before anything has looked.
  stage.clock.advance(60_000);
  const again = await stage.post(up);
  assert.equal(again, first);
  await stage.until(() => stage.row(again).startsWith('processed'), 'it is answered again');
  assert.match(stage.row(again), /^processed: 4 to 5/);
  assert.equal(stage.wanted(), 5);
});

test('an alert that fires again adds to the size that an operator has set meanwhile', async (t) => {
  const stage = await alertStage(t);
  const first = await stage.post(up);
  await stage.until(() => stage.wanted() === 4, 'it acts');
  await stage.resolve(up);
  await stage.until(() => !stage.runs(), 'the policy made of it ends');
  stage.services.change('web', { wanted: 6, wantedBy: 'operator', wantedReason: 'by hand' });
  stage.clock.advance(60_000);
  await stage.post(up);
  await stage.until(() => stage.row(first).startsWith('processed'), 'it is answered');
  assert.equal(stage.wanted(), 7);
});

test('alerts that ask for more never bring a service down to their maximum', async (t) => {
  const names = Array.from({ length: 12 }, (_, index) => `web_${index}`);
  const stage = await alertStage(t, { names });
  const row = await stage.post(up);
  await stage.until(() => stage.row(row).startsWith('skipped'), 'it is answered');
  assert.match(stage.row(row), /^skipped: the size stays at 12: .*AtMaximum/);
  assert.equal(stage.wanted(), 12);
});

test('alerts that ask for less never bring a service up to their minimum', async (t) => {
  const stage = await alertStage(t, { names: ['web_1', 'web_2'] });
  const row = await stage.post({ action: 'scale_down', autoscale_min_instances: 3 });
  await stage.until(() => stage.row(row).startsWith('skipped'), 'it is answered');
  assert.equal(stage.wanted(), 2);
});

test('another alert of the same rule is not taken for decided because an earlier one was', async (t) => {
  const stage = await alertStage(t);
  const first = await stage.post({ ...up, autoscale_max_instances: 4 });
  await stage.until(() => stage.row(first).startsWith('processed'), 'it is answered');
  // The same rule about a backend: it asks for nothing that there is room for.
  const second = await stage.post({ ...up, haproxy_backend: 'app', autoscale_max_instances: 4 });
  assert.notEqual(second, first);
  await stage.until(() => !stage.row(second).startsWith('unprocessed'), 'it is answered');
  assert.match(stage.row(second), /^skipped: the size stays at 4/);
  assert.equal(stage.wanted(), 4);
});

test('a coordinator that begins anew knows which firing the number was set for', async (t) => {
  const stage = await alertStage(t);
  const first = await stage.post(up);
  const { id } = stage.inbox.row(first) ?? {};
  stage.services.change('web', {
    wanted: 4,
    wantedBy: 'policy alerts:web',
    wantedReason: 'test',
    wantedAlert: 'busy',
    wantedFirings: [id ?? ''],
  });
  await stage.until(() => !stage.row(first).startsWith('unprocessed'), 'it is answered');
  assert.equal(stage.row(first), 'processed: 4 wanted, as was decided for it before');
});

test('a size set by hand for a time leaves the one that alerts asked for as it is', async (t) => {
  const stage = await alertStage(t);
  await stage.post(up);
  await stage.until(() => stage.wanted() === 4, 'it acts');
  stage.services.change('web', { override: { replicas: 9, until: null, by: 'ann' } });
  await stage.evaluate(3);
  assert.equal(stage.wanted(), 4);
  const second = await stage.post({ ...up, rule_name: 'busier', autoscale_step: 2 });
  await stage.until(() => stage.row(second).startsWith('processed: 4 to 6'), 'it is answered');
  stage.services.change('web', { override: null });
  await stage.evaluate(3);
  assert.equal(stage.wanted(), 6);
});
