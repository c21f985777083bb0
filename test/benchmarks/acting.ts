// A step of load at a service whose slots take four requests at a time, on a real HAProxy and a real Docker Engine: from
// the first request that waits to the decision, to the container, to the first request that a new instance answers; cold,
// and with an instance kept warm. The floor of a cold start is `docker run` of the same image until the app answers.
import { Stage } from '../acting/stage.ts';
import { type StepTimes, stepPolicy, timeStep } from '../acting/step-response.ts';
import { until } from '../bench/wait.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const repetitions = 3;

export const benchmark: Benchmark = {
  name: 'acting',
  run: async (): Promise<Row[]> => {
    const cold = await measure({}, 0);
    const warm = await measure({ 'berth.warm': '1' }, 1);
    const decided = median([...cold.times, ...warm.times].map(({ decidedMs }) => decidedMs));
    const served = (times: readonly StepTimes[]) => median(times.map(({ servedMs }) => servedMs));
    const failed = [...cold.times, ...warm.times].reduce((sum, { counts }) => sum + counts.failed, 0);
    const floor = { what: 'docker run until the app answers', value: cold.floorMs };
    return [
      row('from saturation to the decision', decided, 'ms', undefined, {
        text: 'within 1500 ms',
        met: decided <= 1500,
      }),
      row('from the decision to the first request of a new instance', served(cold.times), 'ms', floor),
      row('from the decision to the first request of a warm instance', served(warm.times), 'ms', undefined, {
        text: 'within 250 ms',
        met: served(warm.times) <= 250,
      }),
      row('requests that failed in all steps', failed, '', undefined, { text: 'none', met: failed === 0 }),
    ];
  },
};

async function measure(
  labels: Readonly<Record<string, string>>,
  parked: number,
): Promise<{ times: StepTimes[]; floorMs: number }> {
  await using stage = await Stage.set({ slots: 10, maxconn: 4, policies: stepPolicy });
  await stage.apps(1, { labels });
  const times: StepTimes[] = [];
  for (let count = 0; count < repetitions; count += 1) {
    await stage.settled(1, { parked, deadlineMs: 60_000 });
    times.push(await timeStep(stage));
  }
  return { times, floorMs: await plainStart(stage) };
}

/** The same container, started by nobody but Docker, until its app answers. */
async function plainStart(stage: Stage): Promise<number> {
  const started = performance.now();
  const container = await stage.app({
    service: `${stage.service}-floor`,
    env: { HAPROXY_SERVER: '', BERTH_COORDINATOR: '' },
    command: ['node', '/berth/app.mjs'],
  });
  const url = `http://${await stage.addressOf(container)}:8080/`;
  await until(async () => (await fetch(url)).ok, { what: 'the app answers', everyMs: 5 });
  return performance.now() - started;
}
