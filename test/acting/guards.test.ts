// What holds a service back, and that it says so wherever people look: a pause in one direction or both, protected
// instances, the disruption budget. Over the command line and the API, on real containers.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runBerthOn } from './run-berth-on.ts';
import { Stage } from './stage.ts';

const policies = `policies:
  - name: guarded
    service: $SERVICE
    minReplicas: 1
    maxReplicas: 6
    interval: 250ms
    tolerance: 0
    budget: { minAvailable: 2 }
    metrics:
      - name: n
        source: { type: pushed, metric: n }
        target: { type: AverageValue, averageValue: 1 }
    behavior:
      scaleUp: { stabilizationWindowSeconds: 0 }
      scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: Percent, value: 100, periodSeconds: 1 }] }
  - name: counted
    service: $SERVICE-counted
    minReplicas: 3
    maxReplicas: 6
    budget: { minAvailable: 2 }
`;

describe('a service that is held back', () => {
  let stage: Stage;
  /** How many instances the load is for; pushed again and again, as monitoring does. */
  let load = 2;
  const pushing = new AbortController();
  let pushed: Promise<void>;
  before(async () => {
    stage = await Stage.set({ slots: 14, policies });
    pushed = push();
    await stage.apps(2);
  });
  after(async () => {
    pushing.abort();
    await pushed;
    await stage[Symbol.asyncDispose]();
  });

  async function push(): Promise<void> {
    while (!pushing.signal.aborted) {
      // Less than the whole of it, so that the rest would cope when there are more.
      const value = { name: 'n', value: load - 0.6 };
      await stage.coordinator.write('POST', '/api/v1/metrics', value).catch(() => undefined);
      await delay(200, undefined, { signal: pushing.signal }).catch(() => undefined);
    }
  }

  const berth = async (...words: string[]) => {
    const { code, text } = await runBerthOn(stage, ...words);
    assert.equal(code, 0, text);
    return text;
  };
  const pause = (...words: string[]) => berth('pause', stage.service, ...words);
  /** The newest decision says that so many would be wanted, and what keeps them away. */
  const held = (size: number, wanted: number, code: string) =>
    stage.wait(async () => {
      const { items } = await stage.coordinator.read<{ items: { explanation: string }[] }>(
        `/api/v1/decisions?service=${stage.service}&limit=1`,
      );
      const said = `stays at ${size}, ${wanted} wanted (${code}`;
      return items[0]?.explanation.includes(said) === true;
    }, `it stays at ${size}, ${wanted} wanted: ${code}`);

  /** The command line and the audit say what holds a service, as the plan does. */
  async function saysEverywhere(service: string, since: number, hold: string): Promise<void> {
    assert.ok((await berth('services', service)).includes(hold));
    const told = await stage.coordinator.audit(since, { service, event: 'service.held' });
    assert.ok(
      told.some(({ reason }) => reason === hold),
      JSON.stringify(told),
    );
  }

  it('goes down but not up while it is paused outwards, until the pause ends by itself', async () => {
    load = 3;
    await stage.settled(3);
    const since = Date.now();
    assert.match(await pause('--mode', 'out', '--for', '10m'), /paused \(out\), until 20/);
    load = 2;
    await stage.settled(2);
    load = 4;
    await held(2, 4, 'Paused');
    const { pause: given, current } = await stage.view();
    assert.deepEqual([given?.mode, given?.by, current], ['out', 'test', 2]);
    const why = await berth('why', stage.service);
    assert.match(why, /paused \(out\) by test, until 20/);
    assert.match(why, /4 -> 2: paused in this direction/);
    const audit = await stage.coordinator.audit(since, { service: stage.service });
    const said = (event: string) => audit.filter((row) => row.event === event).map(({ reason }) => reason);
    assert.deepEqual(said('scale.paused'), ['out for 10m']);
    assert.match(said('scale.held').join(), /stays at 2, 4 wanted \(Paused\)/);

    await pause('--mode', 'out', '--for', '1s');
    await stage.settled(4);
    assert.equal((await stage.view()).pause, null);
    const [resumed] = await stage.coordinator.audit(since, {
      service: stage.service,
      event: 'scale.resumed',
    });
    assert.deepEqual(
      [resumed?.actor, resumed?.reason],
      ['coordinator', 'the time of the pause (out) by test is over'],
    );
  });

  it('goes up but not down while it is paused inwards, until it is resumed', async () => {
    await pause('--mode', 'in');
    load = 3;
    await held(4, 3, 'Paused');
    load = 5;
    await stage.settled(5);
    load = 2;
    await held(5, 2, 'Paused');
    assert.equal((await stage.view()).current, 5);
    await berth('resume', stage.service);
    await stage.settled(2);
  });

  it('goes neither way while it is paused in both', async () => {
    const { pause: given } = await stage.coordinator.write<{ pause: { mode: string } }>(
      'POST',
      `/api/v1/services/${stage.service}/pause`,
      { mode: 'both', by: 'test' },
    );
    assert.equal(given.mode, 'both');
    load = 3;
    await held(2, 3, 'Paused');
    await berth('resume', stage.service);
    await stage.settled(3);
    await pause();
    load = 2;
    await held(3, 2, 'Paused');
    await berth('resume', stage.service);
    await stage.settled(2);
  });

  it('keeps what its budget wants, whatever the metrics ask for', async () => {
    load = 1;
    await held(2, 1, 'Budget');
    assert.match(await berth('why', stage.service), /the budget lets no more of the 2 ready instances go/);
    assert.equal((await stage.view()).current, 2);
  });

  it('lets only those go that are not protected, and says so', async () => {
    const service = `${stage.service}-protected`;
    const since = Date.now();
    const [, second] = await stage.apps(2, { service, labels: { 'berth.protect': 'true' } });
    const free = await stage.app({ service });
    await stage.serving(3, service);
    await berth('scale', service, '1');
    const hold = '1 too many, but the others are protected';
    await stage.wait(
      async () => {
        const { plan, instances, serving } = await stage.view(service);
        const gone = instances.find(({ container }) => container === free)?.role === 'stopped';
        return gone && serving === 2 && plan.some(({ reason }) => reason === hold);
      },
      'the one goes, the others stay, and the plan says why',
      undefined,
      service,
    );
    await saysEverywhere(service, since, hold);
    assert.ok(
      (await stage.containers(service)).some(({ id, state }) => id === second && state === 'running'),
    );
    await berth('scale', service, '0');
    await stage.engine.run(['rm', '-f', ...(await stage.containers(service)).map(({ id }) => id)]);
  });

  it('keeps as many serving as its budget wants while one of them is broken, and says how many', async () => {
    const service = `${stage.service}-counted`;
    const since = Date.now();
    const env = { BERTH_READY: '/healthz', BERTH_READY_FAILURES: '1', BERTH_READY_SUCCESSES: '1' };
    const broken = await stage.app({ service, env, labels: { 'berth.protect': 'true' } });
    await stage.serving(3, service);
    const answers = async (status: number) => {
      const url = `http://${await stage.addressOf(broken)}:8080/health/${status}`;
      assert.equal((await fetch(url, { method: 'POST' })).status, 200);
    };
    await answers(503);
    await stage.wait(async () => (await stage.view(service)).serving === 2, 'two serve', undefined, service);
    await berth('scale', service, '2');
    const hold = '1 too many, but only 2 serve and 2 must';
    await stage.wait(
      async () => (await stage.view(service)).plan.some(({ reason }) => reason === hold),
      'the plan holds',
      undefined,
      service,
    );
    await saysEverywhere(service, since, hold);
    assert.equal((await stage.view(service)).serving, 2);
    await answers(200);
    await stage.serving(2, service);
  });

  it('keeps as many serving as its budget wants, whatever an operator asks for, and says so', async () => {
    const service = `${stage.service}-counted`;
    const since = Date.now();
    await berth('scale', service, '1');
    const hold = '1 too many, but only 2 serve and 2 must';
    const told = async (event: string) =>
      (await stage.coordinator.audit(since, { service, event })).filter(({ outcome }) => outcome === 'held');
    await stage.wait(
      async () =>
        (await stage.view(service)).plan.some(({ reason }) => reason === hold) &&
        (await told('service.held')).some(({ reason }) => reason === hold),
      'the plan and the audit say why',
      undefined,
      service,
    );
    const one = (await stage.view(service)).instances.find(({ serving }) => serving) ?? assert.fail();
    const { code, text } = await runBerthOn(stage, 'drain', one.name, '--reason', 'a look inside');
    assert.notEqual(code, 0);
    assert.match(text, /only 2 serve and 2 must, says the budget of policy counted/);
    const [refused] = await told('agent.drain-requested');
    assert.match(refused?.reason ?? '', /^a look inside; .*only 2 serve and 2 must/);
    const { serving, instances } = await stage.view(service);
    assert.equal(serving, 2);
    assert.ok(instances.every(({ byOperator }) => !byOperator));
    await berth('scale', service, '3');
    await stage.serving(3, service);
    await berth('drain', one.name);
    await stage.wait(
      async () => (await stage.view(service)).instances.some(({ byOperator }) => byOperator),
      'one of three may leave',
      undefined,
      service,
    );
  });
});
