// What a caller who writes a policy is told of: that very policy where it is in force, whatever labels say.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PolicySet } from '../../coordinator/policy/policy-set.ts';
import type { PolicyLabels } from '../../coordinator/policy/resolve-policies.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { memoryLog } from '../coordinator/memory-log.ts';

it('a policy that is written is answered as it is in force, or not at all', async (t) => {
  const store = await openStore(parseDatabaseUrl('sqlite::memory:'));
  t.after(() => store.close());
  const labels: PolicyLabels[] = [];
  const set = new PolicySet({
    file: undefined,
    store,
    labels: () => labels,
    log: memoryLog(),
    clock: systemClock,
  });
  const put = async (name: string) => {
    const found = await set.put({ name, maxReplicas: 3 }, 'test');
    return [found?.policy.name, found?.policy.service];
  };
  assert.deepEqual(await put('web'), ['web', 'web']);
  assert.deepEqual(await put('shop'), ['shop', 'shop']);
  labels.push({ service: 'web', policy: 'shop' });
  assert.deepEqual(await put('web'), [undefined, undefined], 'a label gives its service another one');
  labels.push({ service: 'blog', policy: 'web' });
  assert.deepEqual(await put('web'), ['web', 'blog'], 'a label gives it to another service');
});
