// Alerts that name one container: which one goes or is cloned, and when none is chosen.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { chooseNamed, serviceOfNamed } from '../../coordinator/services/named-container.ts';
import { alertStage } from './alert-stage.ts';
import { instance } from './instance.ts';

const remove = { action: 'scale_down_node', container_name: 'web_2' };

describe('a container by its name', () => {
  const on = (host: string, service = 'web') => ({
    id: `${host}1`,
    name: 'web_2',
    host,
    service,
    createdAt: 5,
  });
  const hosts = new Set(['east', 'west']);
  const both = [on('east'), on('west')];

  it('is that of the host that the alert names', () => {
    const meant = chooseNamed({ name: 'web_2', host: 'west' }, both, hosts);
    assert.deepEqual(meant, { kind: 'one', one: both[1] });
    assert.deepEqual(chooseNamed({ name: 'web_2', host: 'west' }, [on('east')], hosts), { kind: 'none' });
  });

  it('is nobody’s when several hosts have it and the alert names none, or one that is not known', () => {
    for (const host of [undefined, 'west.example.org'])
      assert.equal(chooseNamed({ name: 'web_2', host }, both, hosts).kind, 'several');
    const meant = chooseNamed({ name: 'web_2', host: 'west.example.org' }, [on('east')], hosts);
    assert.equal(meant.kind, 'one', 'there is only one');
  });

  it('does not matter where the id is given', () => {
    const meant = chooseNamed({ id: 'west1', name: 'web_2', host: 'east' }, both, hosts);
    assert.deepEqual(meant, { kind: 'one', one: both[1] });
  });

  it('is of a service as long as all of its name are', () => {
    const service = (...all: typeof both) => serviceOfNamed(chooseNamed({ name: 'web_2' }, all, hosts));
    assert.equal(service(on('east'), on('west')), 'web');
    assert.equal(service(on('east'), on('west', 'shop')), undefined);
  });
});

describe('an alert about one container that has to wait', () => {
  it('takes away the one that it names when its silence is over', async (t) => {
    const stage = await alertStage(t);
    const silence = await stage.inbox.silence({
      match: { service: 'web' },
      until: stage.clock.wall() + 3_600_000,
      by: 'ann',
      why: 'deploying',
    });
    const row = await stage.post(remove);
    assert.match(stage.row(row), /^skipped: silenced/);
    await stage.until(() => true, 'one look');
    assert.deepEqual([stage.wanted(), stage.victim()], [3, 'web_3'], 'another would be next');
    await stage.inbox.unsilence(silence.id, 'ann');
    await stage.until(() => stage.wanted() === 2, 'it acts');
    assert.equal(stage.victim(), 'web_2', 'at once, before anything has settled the row');
    await stage.until(() => stage.row(row).startsWith('processed: 3 to 2'), 'it is answered');
    assert.equal(stage.victim(), 'web_2');
  });

  it('takes away the one that it names when the service is resumed', async (t) => {
    const stage = await alertStage(t);
    stage.services.change('web', { pause: { mode: 'both', until: null, by: 'ann' } });
    const row = await stage.post(remove);
    await stage.until(() => stage.row(row).startsWith('skipped'), 'it is answered');
    assert.match(stage.row(row), /^skipped: the size stays at 3: .*Paused/);
    assert.equal(stage.victim(), 'web_3', 'what it has not brought about takes no container away');
    stage.services.change('web', { pause: null });
    await stage.until(() => stage.wanted() === 2, 'it acts');
    assert.equal(stage.victim(), 'web_2');
    await stage.until(() => stage.row(row).startsWith('processed: 3 to 2'), 'it is answered');
    assert.equal(stage.victim(), 'web_2');
  });
});

describe('an alert about one container of several hosts', () => {
  async function twoHosts(t: TestContext) {
    const stage = await alertStage(t, { names: [] });
    const since = { createdAt: stage.clock.wall() - 60_000 };
    stage.world.hosts = ['east', 'west'];
    stage.world.instances = ['e1', 'e2', 'w1', 'w2'].map((id) =>
      instance(id, { ...since, name: `web_${id[1]}`, host: id.startsWith('e') ? 'east' : 'west' }),
    );
    stage.services.change('web', { wanted: 4, wantedBy: 'test', wantedReason: 'test' });
    return stage;
  }

  it('takes away that of the host that it names', async (t) => {
    const stage = await twoHosts(t);
    const row = await stage.post({ ...remove, docker_host: 'west' });
    await stage.until(() => stage.row(row).startsWith('processed'), 'it is answered');
    assert.deepEqual([stage.wanted(), stage.victim()], [3, 'w2']);
  });

  it('fails with the reason when it does not say which, and takes none away', async (t) => {
    const stage = await twoHosts(t);
    const row = await stage.post(remove);
    await stage.until(() => stage.row(row).startsWith('failed'), 'it is answered');
    assert.equal(
      stage.row(row),
      'failed: container web_2 is on east and west, and the alert names no host: send its id, or one of these as its host',
    );
    assert.equal(stage.wanted(), 4);
  });
});
