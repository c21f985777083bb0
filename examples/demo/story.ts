// The story, step by step. Each step does something to the system, waits until it is whole again, and says how long that
// took and how many requests were sent and failed meanwhile. A promise that is not kept is an error of the step; the
// story goes on and the demo ends with a non-zero code.
import { type Load, startLoad } from '../../test/bench/load.ts';
import { until } from '../../test/bench/wait.ts';
import type { DemoEngine, Instance } from './instances.ts';
import type { Stage } from './stage.ts';

export interface StepResult {
  title: string;
  /** From the deed until all was whole again. */
  ms: number;
  sent: number;
  failed: number;
  errors: Readonly<Record<string, number>>;
  /** Promises that were not kept. */
  broken: string[];
}

interface Step {
  title: string;
  /** Fewer than this many requests may fail; undefined: as many as will, they are only counted. */
  maxFailed: number | undefined;
  play(): Promise<void>;
}

export interface StoryContext {
  stage: Stage;
  load: Load;
  instances: readonly Instance[];
  tell(line: string): void;
  /** Undefined: nothing can be scaled. */
  engine: DemoEngine | undefined;
}

const wholeMs = 30_000;

export async function playStory(context: StoryContext): Promise<StepResult[]> {
  const results: StepResult[] = [];
  const all = [
    ...steps(context),
    ...(context.engine === undefined ? [] : scalingSteps(context, context.engine)),
  ];
  for (const step of all) {
    context.tell('');
    context.tell(`▶ ${step.title}`);
    const counts = context.load.mark(step.title);
    const started = performance.now();
    const broken: string[] = [];
    try {
      await step.play();
    } catch (error) {
      broken.push(error instanceof Error ? error.message : String(error));
    }
    const ms = performance.now() - started;
    // Requests that were sent in this step may still be under way.
    await until(() => counts.ok + counts.failed === counts.sent, {
      what: 'the requests of this step are answered',
      deadlineMs: 12_000,
    }).catch((error: unknown) => broken.push(String(error)));
    if (step.maxFailed !== undefined && counts.failed > step.maxFailed)
      broken.push(`${counts.failed} requests failed, at most ${step.maxFailed} may`);
    const result = {
      title: step.title,
      ms,
      sent: counts.sent,
      failed: counts.failed,
      errors: counts.errors,
      broken,
    };
    results.push(result);
    context.tell(describe(result));
  }
  return results;
}

export function describe({ ms, sent, failed, errors, broken }: StepResult): string {
  const kinds = Object.entries(errors).map(([kind, count]) => `${count} x ${kind}`);
  const line = `  whole again after ${(ms / 1000).toFixed(2)} s; ${sent} requests sent, ${failed} failed${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}`;
  return [line, ...broken.map((promise) => `  ✘ promise not kept: ${promise}`)].join('\n');
}

function steps({ stage, instances, load, tell }: StoryContext): Step[] {
  const [first, second, third] = instances;
  if (first === undefined || second === undefined || third === undefined)
    throw new Error('the story needs three instances');
  const ready = (count: number, what: string) =>
    until(async () => (await stage.readyAddresses()).length === count, {
      what,
      deadlineMs: wholeMs,
      everyMs: 5,
    });
  const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(2)} s`;
  /** Traffic flows undisturbed for a while: a hundred more answers. */
  const flowing = async () => {
    const goal = load.total.ok + 100;
    await until(() => load.total.ok >= goal, {
      what: 'a hundred requests are answered',
      deadlineMs: wholeMs,
    });
  };
  return [
    {
      title: 'all three instances serve',
      maxFailed: 0,
      play: async () => {
        await ready(3, 'three slots are ready');
        await flowing();
      },
    },
    {
      title: `${second.name} is stopped in order (docker stop): it drains, then leaves`,
      maxFailed: 0,
      play: async () => {
        await second.stop();
        await ready(2, 'its slot is free');
        tell('  its slot is free again; now it is started again');
        const started = performance.now();
        await second.start();
        await ready(3, 'it has a slot again');
        tell(`  serving ${seconds(started)} after its start`);
        await flowing();
      },
    },
    {
      title: `${first.name} is killed (SIGKILL): nobody says goodbye`,
      maxFailed: undefined,
      play: async () => {
        const started = performance.now();
        await first.kill();
        await until(async () => (await stage.slots())?.filter(({ state }) => state !== 'free').length === 2, {
          what: 'its slot is reclaimed',
          deadlineMs: wholeMs,
        });
        tell(
          `  its slot was reclaimed after ${seconds(started)}: no heartbeat, and HAProxy finds nothing there`,
        );
        await first.start();
        await ready(3, 'it has a slot again');
        await flowing();
      },
    },
    {
      title: 'HAProxy is killed and started again: it has forgotten every slot',
      maxFailed: undefined,
      play: async () => {
        await stage.haproxy.kill('SIGKILL');
        await stage.haproxy.start();
        const back = performance.now();
        await ready(3, 'three slots are ready');
        tell(`  three slots are back ${seconds(back)} after HAProxy answers`);
        await flowing();
      },
    },
    {
      title: 'the coordinator is killed: instances come and go without it',
      maxFailed: 0,
      play: async () => {
        await stage.killCoordinator();
        await flowing();
        await third.stop();
        await ready(2, 'the stopped instance has left without a coordinator');
        await third.start();
        await ready(3, 'it has a slot again without a coordinator');
        await flowing();
        tell('  one instance left and came back meanwhile; now the coordinator is started again');
        await stage.startCoordinator();
        await until(
          async () =>
            (await stage.slots())?.filter(({ state, agent }) => state === 'ready' && agent !== null)
              .length === 3,
          {
            what: 'the coordinator has adopted the three instances',
            deadlineMs: wholeMs,
          },
        );
      },
    },
    {
      title: 'the coordinator is away and HAProxy is killed: the agents put themselves back',
      maxFailed: undefined,
      play: async () => {
        await stage.killCoordinator();
        await stage.haproxy.kill('SIGKILL');
        await stage.haproxy.start();
        const back = performance.now();
        await ready(3, 'three slots are ready');
        tell(`  three slots are back ${seconds(back)} after HAProxy answers`);
        await stage.startCoordinator();
        await flowing();
      },
    },
  ];
}

/** Four sessions at a time for each instance, three to six of them; down again soon, so that the story is short. */
const policy = {
  service: 'shop',
  minReplicas: 3,
  maxReplicas: 6,
  metrics: [
    {
      name: 'sessions',
      source: { type: 'haproxy', what: 'sessions', backend: 'app' },
      target: { type: 'AverageValue', averageValue: 4 },
    },
  ],
  behavior: { scaleDown: { stabilizationWindowSeconds: 5 } },
};

function scalingSteps({ stage, load, tell }: StoryContext, engine: DemoEngine): Step[] {
  const ready = (count: number, what: string) =>
    until(async () => (await stage.readyAddresses()).length === count, {
      what,
      deadlineMs: 60_000,
      everyMs: 20,
    });
  const why = async () => {
    const { items } = (await stage.call('GET', '/api/v1/decisions?service=shop&limit=1')) as {
      items: { headline: string }[];
    };
    return items[0]?.headline ?? 'no decision';
  };
  let heavy: Load | undefined;
  return [
    {
      title:
        'a policy is written (3 to 6 instances, 4 sessions each), and slow requests come: more instances are started',
      maxFailed: 0,
      play: async () => {
        await stage.call('PUT', '/api/v1/policies/shop', policy);
        const started = performance.now();
        heavy = startLoad({ url: `${stage.haproxy.url()}/slow?ms=500`, ratePerSecond: 44, maxSeconds: 120 });
        await until(async () => (await stage.readyAddresses()).length > 3, {
          what: 'a fourth instance serves',
          deadlineMs: 60_000,
          everyMs: 5,
        });
        tell(
          `  a new instance serves ${((performance.now() - started) / 1000).toFixed(2)} s after the load came; ${await why()}`,
        );
        await ready(6, 'six instances serve');
      },
    },
    {
      title: 'one of the new instances is deleted (docker rm -f): another one takes its place',
      maxFailed: undefined,
      play: async () => {
        const own = new Set(['shop-1', 'shop-2', 'shop-3']);
        const clone = (await engine.running()).find((name) => ![...own].some((each) => name.endsWith(each)));
        if (clone === undefined) throw new Error('there is no clone to delete');
        await engine.remove(clone);
        await until(async () => (await stage.readyAddresses()).length < 6, {
          what: 'its slot is out of traffic',
          deadlineMs: 30_000,
          everyMs: 5,
        });
        await ready(6, 'six instances serve again');
      },
    },
    {
      title: 'the slow requests end: the idle instances drain and go',
      maxFailed: 0,
      play: async () => {
        const counts = await heavy?.stop();
        await ready(3, 'three instances are left');
        tell(`  ${await why()}`);
        tell(
          `  of ${counts?.sent ?? 0} slow requests ${counts?.failed ?? 0} failed, over both of the last steps`,
        );
        const goal = load.total.ok + 100;
        await until(() => load.total.ok >= goal, {
          what: 'a hundred requests are answered',
          deadlineMs: wholeMs,
        });
      },
    },
  ];
}
