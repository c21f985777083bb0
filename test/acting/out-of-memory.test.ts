// The kernel kills an app that needs more memory than its container may have: it comes back, and the audit says what it
// died of. The app itself eats, so that it is the one that is killed; Docker is asked whether it was that and nothing else.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Stage } from './stage.ts';

/** Answers everything, and on /eat fills memory until it is stopped. */
const hungry = `
  const eaten = [];
  require('node:http').createServer((request, response) => {
    if (request.url === '/eat') setInterval(() => eaten.push(Buffer.alloc(4e6, 1)), 1);
    response.end('ok');
  }).listen(8080);`;

describe('an app that eats more memory than its container may have', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.set({ slots: 6 });
    await stage.apps(2, {
      labels: { 'berth.availability': 'true' },
      options: ['--memory', '192m', '--memory-swap', '192m'],
      command: ['node', '/berth/agent.cjs', '--', 'node', '-e', hungry],
    });
  });
  after(() => stage[Symbol.asyncDispose]());

  const inspect = async (id: string) => {
    const format = '{{.State.Status}} {{.State.OOMKilled}} {{.State.ExitCode}}';
    return (await stage.engine.run(['inspect', '-f', format, id])).trim();
  };
  const eat = async (id: string) => {
    const url = `http://${await stage.addressOf(id)}:8080/eat`;
    await new Promise<void>((resolve) => {
      // It may die before it has answered.
      request(url, (response) => response.resume().once('close', () => resolve()))
        .once('error', () => resolve())
        .end();
    });
  };
  const told = (since: number, container: string) =>
    stage.wait(
      async () =>
        (await stage.coordinator.audit(since, { event: 'instance.started' })).some(
          (row) => row.container === container && / it ran out of memory; 2 wanted$/.test(row.reason),
        ),
      'the audit tells that it was started, and what it had died of',
    );
  const victim = async () => {
    const [one] = (await stage.view()).instances.filter(({ serving }) => serving);
    return one?.container ?? assert.fail('one serves');
  };

  it('is started again, and the audit says what it died of', async () => {
    const since = Date.now();
    const container = await victim();
    await eat(container);
    await told(since, container);
    await stage.settled(2);
  });

  it('is started again by a coordinator that was away when it was killed', async () => {
    const since = Date.now();
    const container = await victim();
    await stage.coordinator.kill();
    await eat(container);
    await stage.wait(
      async () => (await inspect(container)) === 'exited true 137',
      'the kernel has killed it',
    );
    await stage.coordinator.start();
    await told(since, container);
    await stage.settled(2);
  });
});
