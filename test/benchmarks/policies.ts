// 1,000 policies in one process, with sources that answer at once: CPU for one evaluation of each, what they remember, and
// how late others are while the source of one hangs. The floor is reading the same sources without deciding anything.

import { admitPolicy } from '../../coordinator/policy/admit.ts';
import type { EffectivePolicy } from '../../coordinator/policy/resolve-policies.ts';
import { PolicyLoop, type PolicyLoopParts } from '../../coordinator/services/policy-loop.ts';
import { Services } from '../../coordinator/services/services.ts';
import { systemClock } from '../../shared/clock.ts';
import { instance } from '../services/instance.ts';
import { median, type Row, row } from './row.ts';

const policies = 1000;
const rounds = 9;
const tickMs = 15_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

function policyOf(index: number, interval: string): EffectivePolicy {
  const source = { type: 'haproxy', what: 'sessions' };
  const { admitted, errors } = admitPolicy(
    {
      name: `p${index}`,
      minReplicas: 1,
      maxReplicas: 20,
      interval,
      metrics: [
        { name: 'sessions', source, target: { type: 'AverageValue', averageValue: 10 } },
        {
          name: 'queue',
          source: { ...source, what: 'queue' },
          target: { type: 'AverageValue', averageValue: 5 },
        },
      ],
    },
    'benchmark',
  );
  const [policy] = admitted;
  if (policy === undefined) throw new Error(JSON.stringify(errors));
  return {
    ...policy,
    origins: { policy: 'file', service: 'file', minReplicas: 'file', maxReplicas: 'file' },
  };
}

const instances = Array.from({ length: 5 }, (_, index) =>
  instance(`i${index}`, { host: 'docker', sessions: 8, seenAgeMs: 600_000, startAgeMs: 600_000 }),
);

function partsOf(reader: PolicyLoopParts['reader']): PolicyLoopParts {
  return {
    reader,
    services: new Services(),
    decisions: { restore: async () => undefined, note: () => undefined },
    instances: () => ({ known: true, instances }),
    backendOf: (service) => service,
    alerts: () => [],
    takeCreation: () => undefined,
    log: silent,
    clock: systemClock,
  };
}

const answer: PolicyLoopParts['reader'] = {
  readAll: async (requests) =>
    Object.fromEntries(
      requests.map(({ name }) => [
        name,
        { ok: true, shape: 'total', value: 47 + Math.random(), ageMs: 0 } as const,
      ]),
    ),
};

async function cpuOf(act: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function run(): Promise<Row[]> {
  const { signal } = new AbortController();
  globalThis.gc?.();
  const memoryBefore = process.memoryUsage.rss();
  const parts = partsOf(answer);
  const loops = Array.from({ length: policies }, (_, index) => new PolicyLoop(policyOf(index, '15s'), parts));
  const evaluations: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    evaluations.push(
      await cpuOf(async () => void (await Promise.all(loops.map((loop) => loop.evaluate(signal))))),
    );
    floors.push(
      await cpuOf(async () => {
        await Promise.all(
          loops.map(({ effective: { sources, policy } }) => {
            const target = { service: policy.service, backend: policy.service };
            const requests = Object.entries(sources).map(([name, source]) => ({ name, source, target }));
            return answer.readAll(requests, { intervalMs: tickMs, signal });
          }),
        );
      }),
    );
  }
  const spent = median(evaluations);
  const memory = (process.memoryUsage.rss() - memoryBefore) / 2 ** 20;
  const late = await lateness();
  return [
    row(
      `deciding: ${policies} policies, CPU for one evaluation of each`,
      spent,
      'ms',
      { what: 'reading only', value: median(floors) },
      {
        text: `under 30 % of a core at one each ${tickMs / 1000} s`,
        met: spent < 0.3 * tickMs,
      },
    ),
    row(`deciding: memory of ${policies} policies`, memory, 'MB', undefined, {
      text: 'under 150 MB',
      met: memory < 150,
    }),
    row('deciding: how late others are while one source hangs', late, 'ms', undefined, {
      text: 'at most 100 ms',
      met: late <= 100,
    }),
  ];
}

/** The longest time beyond its interval that an evaluation of 100 policies had to wait, while another one's source hangs. */
async function lateness(): Promise<number> {
  const intervalMs = 250;
  const stop = new AbortController();
  const last = new Map<string, number>();
  let worst = 0;
  const reader: PolicyLoopParts['reader'] = {
    readAll: async (requests, options) => {
      const service = requests[0]?.target.service ?? '';
      if (service === 'p0') {
        await new Promise((resolve) => options.signal.addEventListener('abort', resolve, { once: true }));
        return {};
      }
      const now = performance.now();
      const before = last.get(service);
      if (before !== undefined) worst = Math.max(worst, now - before - intervalMs);
      last.set(service, now);
      return answer.readAll(requests, options);
    },
  };
  const parts = partsOf(reader);
  const running = Array.from({ length: 101 }, (_, index) =>
    new PolicyLoop(policyOf(index, '250ms'), parts).run(stop.signal),
  );
  await systemClock.sleep(6000);
  stop.abort();
  await Promise.all(running);
  return worst;
}

export const benchmark = { name: 'policies', run };
