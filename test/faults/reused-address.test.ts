// Docker gives the address of a container that died to the next one, also of another service: no request of one service
// reaches the other.
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { whoAnswers } from './who-answers.ts';

const services = ['shop', 'blog'] as const;

describe('the address of an instance that was killed goes to one of the other service', () => {
  let stage: Stage;
  let victim: Instance;
  before(async () => {
    // With the checks that many have, HAProxy takes ten seconds to find out that somebody is gone.
    stage = await Stage.set({ backends: services, inter: '5s' });
    const [shop] = await Promise.all(services.map((backend) => stage.instances(2, { backend })));
    [victim = assert.fail()] = shop ?? [];
  });
  after(() => stage[Symbol.asyncDispose]());

  it('no service is answered by the other, with the coordinator', async (t) => {
    await inherit(t, 'blog', 'blog-3');
    await inherit(t, 'shop', 'shop-3');
  });

  it('no service is answered by the other, without a coordinator', async (t) => {
    await stage.coordinator.kill();
    await inherit(t, 'blog', 'blog-4');
    await inherit(t, 'shop', 'shop-4');
  });

  async function inherit(t: TestContext, backend: string, name: string): Promise<void> {
    const asked = services.map((service) => ({
      service,
      who: whoAnswers(`${stage.haproxy.url(service)}/`, 30),
    }));
    const flowing = async () => {
      const before = asked.map(({ who }) => who.answers.ok);
      await until(() => asked.every(({ who }, index) => who.answers.ok >= (before[index] ?? 0) + 20), {
        what: 'both services answer',
      });
    };
    await flowing();
    const ip = await victim.address();
    await victim.kill();
    victim = await stage.instance(name, { backend, ip, app: 'quick-app.pl' });
    await stage.whole({ deadStayDown: false });
    await flowing();
    for (const { service, who } of asked) {
      const { hosts, failed } = await who.stop();
      const all = [...hosts].map(([host, count]) => `${host} ${count}`).join(', ');
      t.diagnostic(`${service}: answers of ${all}; ${failed} failed`);
      const strangers = [...hosts.keys()].filter((host) => !host.startsWith(service));
      assert.deepEqual(strangers, [], `${service} is answered by its own instances only; heard: ${all}`);
    }
  }
});
