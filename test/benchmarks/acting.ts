// A step of load at a service whose slots take four requests at a time, on a real HAProxy and a real Docker Engine: from
// the first request that waits to the decision, to the call of Docker, to the first request that a new instance answers;
// cold, with an instance kept warm, and with one that was parked by a coordinator that has been killed since. Policies
// are evaluated at the default interval. The floor of a cold start is `docker run` of the same image until the app
// answers; of a warm one, `docker unpause` until it answers. `BERTH_BENCH_STEPS` is how often each is done.
import { Stage } from '../acting/stage.ts';
import { type StepTimes, stepPolicyEvery, timeStep } from '../acting/step-response.ts';
import { until } from '../bench/wait.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const repetitions = Number(process.env['BERTH_BENCH_STEPS'] ?? 3);

interface Measured {
  times: StepTimes[];
  floorMs: number;
}

export const benchmark: Benchmark = {
  name: 'acting',
  run: async (): Promise<Row[]> => {
    const cold = await measure({ parked: 0 });
    const warm = await measure({ parked: 1 });
    const orphaned = await measure({ parked: 1, kills: true });
    const all = [...cold.times, ...warm.times, ...orphaned.times];
    const decided = all.map(({ decidedMs }) => decidedMs);
    const failed = all.reduce((sum, { counts }) => sum + counts.failed, 0);
    return [
      row('from saturation to the decision, interval 1 s (the default)', median(decided), 'ms', undefined, {
        text: 'within 1500 ms',
        met: median(decided) <= 1500,
      }),
      row('the slowest of them', Math.max(...decided), 'ms', undefined, {
        text: 'within 1500 ms',
        met: Math.max(...decided) <= 1500,
      }),
      ...rowsOf('a new instance', 'docker run until the app answers', cold),
      ...rowsOf('a warm instance', 'docker unpause until the app answers', warm, 250),
      ...rowsOf(
        'a warm instance of a killed coordinator',
        'docker unpause until the app answers',
        orphaned,
        250,
      ),
      row('requests that failed in all steps', failed, '', undefined, { text: 'none', met: failed === 0 }),
    ];
  },
};

function rowsOf(what: string, floorOf: string, { times, floorMs }: Measured, goalMs?: number): Row[] {
  const called = median(times.map(({ calledMs }) => calledMs));
  const served = times.map(({ servedMs }) => servedMs);
  const goal = (value: number) =>
    goalMs === undefined ? undefined : { text: `within ${goalMs} ms`, met: value <= goalMs };
  return [
    row(`from the decision to the call of Docker, ${what}`, called, 'ms'),
    row(
      `from the decision to the first request of ${what}`,
      median(served),
      'ms',
      { what: floorOf, value: floorMs },
      goal(median(served)),
    ),
    row('the slowest of them', Math.max(...served), 'ms', undefined, goal(Math.max(...served))),
  ];
}

/** `kills`: the coordinator is killed between parking and the step. */
async function measure({ parked, kills = false }: { parked: number; kills?: boolean }): Promise<Measured> {
  await using stage = await Stage.set({ slots: 10, maxconn: 4, policies: stepPolicyEvery(undefined) });
  await stage.apps(1, parked === 0 ? {} : { labels: { 'berth.warm': String(parked) } });
  const times: StepTimes[] = [];
  for (let count = 0; count < repetitions; count += 1) {
    await stage.settled(1, { parked, deadlineMs: 60_000 });
    if (kills) {
      await stage.coordinator.kill();
      await stage.coordinator.start();
      await stage.settled(1, { parked, deadlineMs: 60_000 });
    }
    times.push(await timeStep(stage));
  }
  const floors: number[] = [];
  const container = await plainApp(stage);
  for (let count = 0; count < repetitions; count += 1)
    floors.push(parked === 0 ? await plainStart(stage) : await plainThaw(stage, container));
  return { times, floorMs: median(floors) };
}

/** The same container, started by nobody but Docker. */
function plainApp(stage: Stage): Promise<string> {
  return stage.app({
    service: `${stage.service}-floor`,
    env: { HAPROXY_SERVER: '', BERTH_COORDINATOR: '' },
    command: ['node', '/berth/app.mjs'],
  });
}

async function plainStart(stage: Stage): Promise<number> {
  const started = performance.now();
  await answers(stage, await plainApp(stage));
  return performance.now() - started;
}

async function plainThaw(stage: Stage, container: string): Promise<number> {
  await answers(stage, container);
  await stage.engine.run(['pause', container]);
  const started = performance.now();
  await stage.engine.run(['unpause', container]);
  await answers(stage, container);
  return performance.now() - started;
}

async function answers(stage: Stage, container: string): Promise<void> {
  const url = `http://${await stage.addressOf(container)}:8080/`;
  const ok = () =>
    fetch(url).then(
      (response) => response.ok,
      () => false,
    );
  await until(ok, { what: 'the app answers', everyMs: 5 });
}
