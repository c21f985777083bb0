// Docker gives the address of a container that died to the next one, also of another service: no request of one service
// reaches the other.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../bench/wait.ts';
import type { Instance } from './instance.ts';
import { Stage } from './stage.ts';
import { whoAnswers } from './who-answers.ts';

const services = ['shop', 'blog'] as const;

for (const coordinator of [true, false]) {
  describe(coordinator ? 'with the coordinator' : 'without a coordinator', () => {
    let stage: Stage;
    let victim: Instance;
    before(async () => {
      stage = await Stage.set({ coordinator, backends: services, inter: '5s' });
      const [shop] = await Promise.all(services.map((backend) => stage.instances(2, { backend })));
      [victim = assert.fail()] = shop ?? [];
    });
    after(() => stage[Symbol.asyncDispose]());

    for (const [round, heir] of (['blog', 'shop', 'blog'] as const).entries()) {
      it(`an instance of ${heir} gets the address of one of the other service that was killed (${round + 1})`, async (t) => {
        const asked = services.map((name) => ({ name, who: whoAnswers(`${stage.haproxy.url(name)}/`, 30) }));
        const answered = () => asked.map(({ who }) => who.answers.hosts.values().reduce((a, b) => a + b, 0));
        const flow = async () => {
          const before = answered();
          await until(() => answered().every((count, index) => count >= (before[index] ?? 0) + 20), {
            what: 'both services answer',
          });
        };
        await flow();
        const ip = await victim.address();
        await victim.kill();
        const next = await stage.instance(`${heir}-heir-${round}`, {
          backend: heir,
          ip,
          app: 'quick-app.pl',
        });
        await stage.whole({ deadStayDown: false });
        await flow();
        for (const { name, who } of asked) {
          const { hosts, failed } = await who.stop();
          const all = [...hosts].map(([host, count]) => `${host} ${count}`).join(', ');
          t.diagnostic(`${name}: answers of ${all}; ${failed} failed`);
          const strangers = [...hosts.keys()].filter((host) => !host.startsWith(name));
          assert.deepEqual(strangers, [], `${name} is answered by its own instances only; heard: ${all}`);
        }
        victim = next;
      });
    }
  });
}
