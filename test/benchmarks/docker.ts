// What observing a Docker host costs, beside the bare reads of the same answers: a request over the unix socket and
// JSON.parse, without dockerode, checks and comparison. The engine is a fake in a process of its own, with recorded answers.
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { createDockerClient } from '../../coordinator/targets/docker/client.ts';
import { DockerObserver } from '../../coordinator/targets/docker/observer.ts';
import { systemClock } from '../../shared/clock.ts';
import { startProcess } from '../bench/processes.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { type Benchmark, median, type Row, row } from './row.ts';

const rounds = 30;
const concurrency = 8;

interface Costs {
  readonly bareList: number;
  readonly list: number;
  readonly look: number;
  readonly bareFirst: number;
  readonly first: number;
}

async function bareRead(socketPath: string, path: string): Promise<unknown> {
  const asking = request({ socketPath, path, agent: false }).end();
  const [answer] = await once(asking, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

/** Medians, in milliseconds. The kinds take turns, so that whatever else the machine does meets all of them. */
async function measure(count: number): Promise<Costs> {
  const program = join(import.meta.dirname, '../docker/fake-engine-process.ts');
  await using engine = await startProcess(process.execPath, [program, String(count)]);
  const socketPath = await engine.waitForLine(/docker\.sock$/);
  const client = createDockerClient({
    name: 'fake',
    address: { socketPath },
    tls: undefined,
    from: 'the benchmark',
  });
  const bareList = () => bareRead(socketPath, '/containers/json?all=true');
  const ids = (await client.list()).map(({ Id }) => Id);
  const bareInspects = async () => {
    const waiting = [...ids];
    const work = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift())
        await bareRead(socketPath, `/containers/${id}/json`);
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  };
  await looks(1);
  await bareInspects();
  const first: number[] = [];
  const bareFirst: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    first.push((await looks(1)).at(-1) ?? Number.NaN);
    bareFirst.push(await timed(bareInspects));
  }
  const times = { bareList: [] as number[], list: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    times.bareList.push(await timed(bareList));
    times.list.push(await timed(() => client.list()));
  }
  const look = median((await looks(rounds + 5)).slice(5));
  client.close();
  return {
    bareList: median(times.bareList),
    list: median(times.list),
    look,
    bareFirst: median(bareFirst),
    first: median(first),
  };

  /** The times of the first looks of a new observer. */
  async function looks(number: number): Promise<number[]> {
    const stop = new AbortController();
    const taken: number[] = [];
    const observer = new DockerObserver({
      client,
      log: memoryLog(),
      clock: systemClock,
      intervalMs: 1,
      onLook: (_host, ms) => {
        taken.push(ms);
        if (taken.length === number) stop.abort();
      },
    });
    await observer.run(stop.signal);
    return taken;
  }
}

export const benchmark: Benchmark = {
  name: 'observing a Docker host',
  run: async (): Promise<Row[]> => {
    const [small, middle, large] = [await measure(100), await measure(1000), await measure(2000)];
    const listFloor = (costs: Costs) => ({ what: 'a bare read of the listing', value: costs.bareList });
    const inspectFloor = (costs: Costs) => ({
      what: 'bare reads of every container',
      value: costs.bareFirst,
    });
    return [
      row('list 1,000 containers', middle.list, 'ms', listFloor(middle)),
      row('look at 100 containers, nothing changed', small.look, 'ms', listFloor(small)),
      row('look at 1,000 containers, nothing changed', middle.look, 'ms', listFloor(middle)),
      row('look at 2,000 containers, nothing changed', large.look, 'ms', listFloor(large)),
      row('first look at 1,000 containers', middle.first, 'ms', inspectFloor(middle)),
    ];
  },
};
