// One evaluation: 10 metrics x 50 instances, and twice as much of either, beside an empty loop over the same inputs.
import { decide } from '../../coordinator/decide/decide.ts';
import type { InstanceObservation, Observations, Reading } from '../../coordinator/decide/observation.ts';
import type { Metric, MetricTarget, Policy } from '../../coordinator/decide/policy.ts';
import { emptyState } from '../../coordinator/decide/state.ts';
import { admitPolicy } from '../../coordinator/policy/admit.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const warmUps = 3000;
const rounds = 3000;
const goalMicroseconds = 50;

type Case = { readonly policy: Policy; readonly observations: Observations };

/** Seven of ten metrics look at every instance. */
const targets: readonly { target: MetricTarget; perInstance: boolean }[] = [
  { target: { kind: 'utilization', percent: 70 }, perInstance: true },
  { target: { kind: 'utilization', percent: 80 }, perInstance: true },
  { target: { kind: 'averageValue', value: 100, average: 'mean' }, perInstance: true },
  { target: { kind: 'averageValue', value: 200, average: 'mean' }, perInstance: true },
  { target: { kind: 'averageValue', value: 300, average: 'mean' }, perInstance: true },
  { target: { kind: 'averageValue', value: 400, average: 'mean' }, perInstance: true },
  { target: { kind: 'averageValue', value: 500, average: 'mean' }, perInstance: true },
  { target: { kind: 'averageValue', value: 60, average: 'mean' }, perInstance: false },
  { target: { kind: 'value', value: 3000 }, perInstance: false },
  {
    target: {
      kind: 'threshold',
      lower: 500,
      upper: null,
      samples: 5,
      within: 3,
      change: { by: 'count', count: 1 },
    },
    perInstance: false,
  },
];

function standardPolicy(): Policy {
  const { admitted } = admitPolicy({ name: 'bench', minReplicas: 1, maxReplicas: 1000 }, 'benchmark');
  const [first] = admitted;
  if (first === undefined) throw new Error('the policy of the benchmark was refused');
  return first.policy;
}

function makeCase(metricCount: number, instanceCount: number): Case {
  const metrics: Metric[] = [];
  const readings: Record<string, Reading> = {};
  const instances = Array.from(
    { length: instanceCount },
    (_, index): InstanceObservation => ({
      id: `instance-${index}`,
      phase: 'running',
      ready: true,
      startAgeMs: 3_600_000,
      readyChangedAgeMs: 3_590_000,
      sessions: index,
      host: `host-${index % 4}`,
    }),
  );
  for (let index = 0; index < metricCount; index += 1) {
    const kind = targets[index % targets.length];
    if (kind === undefined) continue;
    const name = `metric${index}`;
    metrics.push({
      name,
      target: kind.target,
      role: 'decide',
      direction: 'both',
      group: '',
      tolerance: null,
      maxAgeMs: 60_000,
      whenEmpty: 'error',
      onNaN: 'error',
      warmup: index === 0,
      activeAbove: null,
      maxScaleUp: null,
      maxScaleDown: null,
    });
    readings[name] = kind.perInstance
      ? {
          ok: true,
          shape: 'perInstance',
          samples: Object.fromEntries(
            instances.map(({ id }, place) => [
              id,
              { value: 40 + place, request: 100, ageMs: 500, windowMs: 1000 },
            ]),
          ),
        }
      : { ok: true, shape: 'total', value: 3000, ageMs: 100 };
  }
  const wanted = instanceCount;
  return {
    policy: { ...standardPolicy(), metrics },
    observations: { target: { ok: true, wanted }, instances, readings },
  };
}

/** Median microseconds of one evaluation, with the state handed on from one to the next. */
function timeDecide({ policy, observations }: Case): number {
  let state = emptyState;
  let monoMs = 0;
  const evaluate = (): void => {
    monoMs += 1000;
    ({ state } = decide(policy, state, observations, {
      wallMs: 1_800_000_000_000 + monoMs,
      monoMs,
      run: 'bench',
    }));
  };
  return timed(evaluate);
}

/** Median microseconds of looking at every sample once and adding it up. */
function timeFloor({ observations }: Case): number {
  let sum = 0;
  const look = (): void => {
    for (const reading of Object.values(observations.readings)) {
      if (!reading.ok) continue;
      if (reading.shape === 'total') sum += reading.value;
      else for (const { id } of observations.instances) sum += reading.samples[id]?.value ?? 0;
    }
  };
  const microseconds = timed(look);
  if (!Number.isFinite(sum)) throw new Error('the floor added up nothing');
  return microseconds;
}

/** Each round is timed by itself, so that the median is not touched by what else the machine does. */
function timed(work: () => void): number {
  for (let round = 0; round < warmUps; round += 1) work();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    work();
    times.push((performance.now() - start) * 1000);
  }
  return median(times);
}

/** Linear in both: the ratio to its own floor stays about the same. */
const sizes = [
  { metrics: 10, instances: 50 },
  { metrics: 20, instances: 50 },
  { metrics: 10, instances: 100 },
  { metrics: 10, instances: 400 },
];

async function run(): Promise<Row[]> {
  return sizes.map(({ metrics, instances }, index) => {
    const given = makeCase(metrics, instances);
    const value = timeDecide(given);
    const floor = { what: 'each sample looked at once', value: timeFloor(given) };
    const goal =
      index === 0 ? { text: `under ${goalMicroseconds} µs`, met: value < goalMicroseconds } : undefined;
    return row(`decide, ${metrics} metrics x ${instances} instances`, value, 'µs', floor, goal);
  });
}

export const benchmark: Benchmark = { name: 'decide', run };
