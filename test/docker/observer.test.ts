// What the observer says of containers, against a real engine. Tests of hosts that go away are in hosts.test.ts.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createDockerClient, type DockerClient } from '../../coordinator/targets/docker/client.ts';
import type { Instance } from '../../coordinator/targets/docker/instance.ts';
import { DockerObserver, type ObserverOptions } from '../../coordinator/targets/docker/observer.ts';
import { systemClock } from '../../shared/clock.ts';
import { type DockerEngine, dockerEngine } from '../bench/docker.ts';
import { until } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { agentRecord } from './agent-record.ts';
import { ensureTinyImage, tinyImage } from './tiny-image.ts';

const unique = `o${process.pid}`;
const stop = new AbortController();
const runs: Promise<void>[] = [];
let engine: DockerEngine;
let client: DockerClient;

before(async () => {
  engine = await dockerEngine();
  await ensureTinyImage(engine.run);
  const address = { socketPath: engine.socketPath };
  client = createDockerClient({ name: 'bench', address, tls: undefined, from: 'the test' });
});
after(async () => {
  stop.abort();
  await Promise.all(runs);
  client?.close();
  await engine?.stop();
});

function observe(options: Partial<ObserverOptions> = {}) {
  const log = memoryLog();
  const observer = new DockerObserver({ client, log, clock: systemClock, intervalMs: 500, ...options });
  runs.push(observer.run(stop.signal));
  const find = (name: string) =>
    observer.view().instances.find((instance) => instance.name === `${unique}-${name}`);
  const see = (name: string, what: string, condition: (instance: Instance) => boolean) =>
    until(
      () => {
        const instance = find(name);
        return instance !== undefined && condition(instance) && instance;
      },
      { what: `${name} is seen ${what}` },
    );
  return { observer, log, find, see };
}

/** `docker run -d` with this test's label; gives the id. */
async function run(
  name: string,
  options: readonly string[] = [],
  command: readonly string[] = [],
): Promise<string> {
  const args = [
    'run',
    '-d',
    ...engine.label,
    '--name',
    `${unique}-${name}`,
    ...options,
    tinyImage,
    ...command,
  ];
  return (await engine.run(args)).trim();
}
const label = (...pairs: string[]) => pairs.flatMap((pair) => ['--label', pair]);
const agentIn = ['--env', 'HAPROXY_SERVER=lb', '--env', 'NODE_COUNT=9', '--env', 'PORT=7000'];

describe('an observed instance', () => {
  it('has all that Docker knows of it, through its whole life', async () => {
    const { see, observer } = observe();
    const network = await engine.network(`${unique}-net`);
    const id = await run('life', [
      ...label('berth.service=web', 'berth.port=7000', 'berth.protect=true', 'berth.parked=1', 'berth.min=x'),
      ...[
        '--network',
        network.name,
        '--network-alias',
        'inner',
        '--memory',
        '32m',
        '--cpus',
        '0.25',
        '--stop-timeout',
        '3',
      ],
      ...[
        '--health-cmd',
        'test -e /tmp/healthy',
        '--health-interval',
        '1s',
        '--health-retries',
        '1',
        '--hostname',
        'me',
      ],
    ]);
    const first = await see('life', 'to run', ({ state }) => state === 'running');
    const inspected = await client.inspect(id);
    assert.deepEqual(
      { ...first, labels: {}, health: '' },
      {
        id,
        name: `${unique}-life`,
        host: 'bench',
        service: 'web',
        state: 'running',
        health: '',
        exitCode: undefined,
        oomKilled: false,
        restartCount: 0,
        createdAt: Date.parse(inspected.Created),
        startedAt: Date.parse(inspected.State.StartedAt),
        finishedAt: undefined,
        labels: {},
        settings: { service: 'web', port: 7000, protect: true, parked: true },
        labelProblems: first.labelProblems,
        networks: [
          {
            name: network.name,
            address: inspected.NetworkSettings.Networks?.[network.name]?.IPAddress,
            aliases: ['inner', id.slice(0, 12), 'me'],
          },
        ],
        hostname: 'me',
        image: tinyImage,
        imageId: inspected.Image,
        hasAgent: false,
        agentId: undefined,
        protect: true,
        warm: true,
        stopSeconds: 3,
        cpuMilli: 250,
        memoryBytes: 32 * 1024 * 1024,
        reservation: { memoryBytes: 32 * 1024 * 1024, cpuMilli: 250 },
        isStale: false,
      },
    );
    assert.equal(first.labels['berth.service'], 'web');
    assert.deepEqual(
      first.labelProblems.map(({ label: name }) => name),
      ['berth.min'],
    );
    assert.equal(observer.fate(id), 'up');

    await see('life', 'unhealthy', ({ health }) => health === 'unhealthy');
    await client.pause(id);
    const paused = await see('life', 'paused', ({ state }) => state === 'paused');
    assert.equal(paused.health, 'unhealthy');
    await client.unpause(id);
    await engine.run(['exec', id, 'sh', '-c', 'echo >/tmp/healthy']);
    await see('life', 'healthy', ({ health, state }) => health === 'healthy' && state === 'running');
    await client.kill(id, 'SIGKILL');
    const ended = await see('life', 'ended', ({ state }) => state === 'exited');
    assert.deepEqual([ended.exitCode, ended.networks[0]?.address], [137, undefined]);
    assert.ok((ended.finishedAt ?? 0) >= (ended.startedAt ?? 0));
    assert.equal(observer.fate(id), 'stopped');
    await client.start(id);
    await see(
      'life',
      'started again',
      ({ state, startedAt }) => state === 'running' && startedAt !== first.startedAt,
    );
    await client.rename(id, `${unique}-renamed`);
    await see('renamed', 'under its new name', (instance) => instance.id === id);
    await client.remove(id, { force: true });
    await until(() => observer.fate(id) === 'gone', { what: 'it is seen to be gone' });
    assert.equal(observer.fate('f'.repeat(64)), 'unknown');
  });

  it('that is killed for its memory says so', async () => {
    const { see } = observe();
    const greedy = 'a=x; while true; do a=$a$a; done';
    await run(
      'greedy',
      [...label('berth.service=g'), '--memory', '6m', '--memory-swap', '6m'],
      ['sh', '-c', greedy],
    );
    const ended = await see('greedy', 'ended', ({ state }) => state === 'exited');
    assert.deepEqual([ended.oomKilled, ended.exitCode], [true, 137]);
  });

  it('in a crash loop has its restarts counted', async () => {
    const { see } = observe();
    const id = await run('loop', [...label('berth.service=l'), '--restart', 'always'], ['false']);
    const looping = await see('loop', 'to be restarted', ({ restartCount }) => restartCount >= 2);
    assert.ok(['restarting', 'running', 'exited'].includes(looping.state));
    await client.remove(id, { force: true });
  });
});

describe('the service of an instance', () => {
  it('is named by its labels, then its environment, then its agent, then its backend', async () => {
    const agents = [agentRecord({ id: 'a1', hostname: `${unique}-host`, service: 'by-agent' })];
    const { observer, find } = observe({ agents: () => agents });
    const compose = 'com.docker.compose.service=by-compose';
    await run('label', [
      ...label('berth.service=by-label', compose),
      ...agentIn,
      '--env',
      'BERTH_SERVICE=by-env',
    ]);
    await run('older', label('container_service_name=by-older', 'container_haproxy_backend=be'));
    await run('env', [...agentIn, '--env', 'BERTH_SERVICE=by-env', '--env', 'HAPROXY_BACKEND=be']);
    await run('agent', [...agentIn, '--hostname', `${unique}-host`, '--env', 'HAPROXY_BACKEND=be']);
    await run('backend', [...agentIn, '--env', 'HAPROXY_BACKEND=by-backend']);
    await run('backend-label', label('berth.backend=by-backend', compose));
    await run('compose', label('berth.port=80', compose));
    await run('later', [...agentIn, ...label(compose)]);
    await run('bad', [...label('berth.service=a;b'), ...agentIn, '--env', 'BERTH_SERVICE=a;b']);
    await run('foreign', label(compose, 'policy_name=x'));
    await run('coordinator', ['--env', 'HAPROXY_SERVER=lb', '--env', 'NODE_COUNT=9']);
    await observer.lookAgain(stop.signal);
    const service = (name: string) => find(name)?.service;
    assert.equal(service('label'), 'by-label');
    assert.equal(service('older'), 'by-older');
    assert.equal(service('env'), 'by-env');
    assert.equal(service('agent'), 'by-agent');
    assert.equal(find('agent')?.agentId, 'a1');
    assert.equal(service('backend'), 'by-backend');
    assert.equal(service('backend-label'), 'by-backend');
    assert.equal(service('compose'), 'by-compose');
    assert.ok(find('later') !== undefined && service('later') === undefined);
    assert.ok(find('bad') !== undefined && service('bad') === undefined);
    assert.equal(find('foreign'), undefined);
    assert.equal(find('coordinator'), undefined);
    assert.deepEqual([find('label')?.hasAgent, find('older')?.hasAgent], [true, false]);
  });

  it('is told by an agent that registers later, from a container that nothing else marks', async () => {
    const agents: ReturnType<typeof agentRecord>[] = [];
    const { observer, find, see } = observe({ agents: () => agents });
    const id = await run('unmarked');
    await observer.lookAgain(stop.signal);
    assert.equal(find('unmarked'), undefined);
    agents.push(agentRecord({ id: 'a2', container: id, service: 'late' }));
    const { service } = await see('unmarked', 'once its agent is known', () => true);
    assert.equal(service, 'late');
  });

  it('with the agent in a container beside the app is that of the app, which counts once', async () => {
    const { observer, find } = observe();
    const app = await run('app');
    await run('side', [...agentIn, '--env', 'BERTH_SERVICE=paired', '--network', `container:${app}`]);
    await observer.lookAgain(stop.signal);
    assert.deepEqual([find('app')?.service, find('app')?.hasAgent], ['paired', true]);
    assert.equal(find('side'), undefined);
  });
});

describe('the observer', () => {
  /** The engine without events, and a count of what is asked of it. */
  function deaf() {
    const asked = { lists: 0, inspects: new Map<string, number>() };
    const deafClient: DockerClient = {
      ...client,
      list: (signal) => {
        asked.lists += 1;
        return client.list(signal);
      },
      inspect: (id, signal) => {
        asked.inspects.set(id, (asked.inspects.get(id) ?? 0) + 1);
        return client.inspect(id, signal);
      },
      events: async () => {
        throw new Error('there are no events');
      },
    };
    return { asked, deafClient };
  }

  it('is right without a single event, also when a container restarts between two looks', async () => {
    const { asked, deafClient } = deaf();
    const { observer, see, log } = observe({ client: deafClient, intervalMs: 300 });
    const id = await run('deaf', label('berth.service=d'));
    const before = await see('deaf', 'at all', () => true);
    await engine.run(['restart', '-t', '0', id]);
    await see('deaf', 'restarted', ({ startedAt }) => startedAt !== before.startedAt);
    await observer.lookAgain(stop.signal);
    const inspected = asked.inspects.get(id);
    for (let look = 0; look < 3; look += 1) await observer.lookAgain(stop.signal);
    assert.equal(asked.inspects.get(id), inspected);
    assert.equal(log.lines.filter(({ fields }) => fields['event'] === 'docker.events-lost').length, 1);
  });

  it('looks at once when an event comes, and not once for each', async () => {
    const { asked, deafClient } = deaf();
    const counted = { ...deafClient, events: client.events };
    const { observer, see } = observe({ client: counted, intervalMs: 60_000 });
    await until(() => observer.view().known && asked.lists >= 2, {
      what: 'it has looked after it subscribed',
    });
    await run('event', label('berth.service=e'));
    await see('event', 'by an event', ({ state }) => state === 'running');
    const lists = asked.lists;
    await Promise.all(Array.from({ length: 20 }, () => client.kill(`${unique}-event`, 'SIGWINCH')));
    await observer.lookAgain(stop.signal);
    assert.ok(asked.lists - lists < 15, `${asked.lists - lists} looks for 20 events`);
  });

  it('tells of a change once, and keeps what has not changed', async () => {
    const { observer, find, see } = observe({ intervalMs: 100 });
    await run('steady', label('berth.service=s'));
    const before = await see('steady', 'to run', ({ state }) => state === 'running');
    let told = 0;
    const end = observer.onChange(({ instances }) => {
      if (instances.some(({ name }) => name === `${unique}-told`)) told += 1;
    });
    for (let look = 0; look < 5; look += 1) await observer.lookAgain(stop.signal);
    assert.equal(find('steady'), before);
    assert.equal(told, 0);
    await run('told', label('berth.service=s'));
    await until(() => told > 0, { what: 'the change is told' });
    end();
  });

  it('goes on when one container can not be inspected, and marks it stale', async () => {
    let broken = '';
    const halting: DockerClient = {
      ...client,
      inspect: (id, signal) => {
        // Never answers, as an engine does for a container whose lock it has lost.
        if (id === broken)
          return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
        return client.inspect(id, signal);
      },
    };
    const id = await run('stuck', label('berth.service=st'));
    broken = id;
    const { see, log } = observe({ client: halting, intervalMs: 200 });
    const stuck = await see('stuck', 'although it can not be inspected', () => true);
    assert.deepEqual(
      [stuck.isStale, stuck.service, stuck.state, stuck.startedAt],
      [true, 'st', 'running', undefined],
    );
    await run('beside', label('berth.service=st'));
    const beside = await see('beside', 'all the same', ({ state }) => state === 'running');
    assert.equal(beside.isStale, false);
    assert.equal(
      log.lines.filter(({ fields }) => fields['event'] === 'docker.container-unreadable').length,
      1,
    );
  });

  it('reports a bad label once', async () => {
    const { observer, log } = observe();
    const id = await run('mislabelled', label('berth.port=many'));
    for (let look = 0; look < 3; look += 1) await observer.lookAgain(stop.signal);
    const lines = log.lines.filter(
      ({ fields }) => fields['event'] === 'label.refused' && fields['container'] === id,
    );
    assert.deepEqual(
      lines.map(({ message }) => message),
      [`${unique}-mislabelled: label berth.port="many" is not a port (write a number from 1 to 65535)`],
    );
  });
});
