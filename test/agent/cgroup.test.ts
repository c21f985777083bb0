import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coresInUse, readCgroup } from '../../agent/cgroup.ts';

const files = (table: Record<string, string>) => (path: string) => table[path];

const v2 = {
  'cpu.stat': 'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n',
  'cpu.max': '150000 100000\n',
  'memory.current': '104857600\n',
  'memory.stat': 'anon 1\ninactive_file 4857600\nactive_file 5\n',
  'memory.max': '268435456\n',
};
const v1 = {
  'cpuacct/cpuacct.usage': '2500000000\n',
  'cpu/cpu.cfs_quota_us': '150000\n',
  'cpu/cpu.cfs_period_us': '100000\n',
  'memory/memory.usage_in_bytes': '104857600\n',
  'memory/memory.stat': 'inactive_file 7\ntotal_inactive_file 4857600\n',
  'memory/memory.limit_in_bytes': '268435456\n',
};
const expected = { cpuSeconds: 2.5, cpuLimit: 1.5, memoryBytes: 100_000_000, memoryLimit: 268_435_456 };

test('cgroup v2 and v1 say the same', () => {
  assert.deepEqual(readCgroup(files(v2)), expected);
  assert.deepEqual(readCgroup(files(v1)), expected);
});

test('no limit is not a number', () => {
  const unlimited2 = readCgroup(files({ ...v2, 'cpu.max': 'max 100000\n', 'memory.max': 'max\n' }));
  const unlimited1 = readCgroup(
    files({ ...v1, 'cpu/cpu.cfs_quota_us': '-1\n', 'memory/memory.limit_in_bytes': '9223372036854771712\n' }),
  );
  for (const sample of [unlimited2, unlimited1]) {
    assert.equal(sample?.cpuLimit, undefined);
    assert.equal(sample?.memoryLimit, undefined);
  }
});

test('files that are missing or nonsense give nothing, not zero', () => {
  assert.equal(readCgroup(files({})), undefined);
  assert.equal(readCgroup(files({ ...v2, 'cpu.stat': 'nonsense' })), undefined);
  assert.equal(readCgroup(files({ ...v2, 'memory.current': '' })), undefined);
});

test('cores in use between two samples', () => {
  const sample = (cpuSeconds: number) => ({ ...expected, cpuSeconds });
  assert.equal(coresInUse(sample(2), sample(5), 2000), 1.5);
  assert.equal(coresInUse(sample(5), sample(2), 2000), undefined, 'a counter that went back');
  assert.equal(coresInUse(sample(2), sample(2), 0), undefined);
});
