// How long a service needs to answer a step of load, from HAProxy's queue to the first request that the new instance
// answers. Shared by the test, which asserts what must be so, and the benchmark, which shows how fast it was.
import { get } from 'node:http';
import { type LoadCounts, startLoad } from '../bench/load.ts';
import { until } from '../bench/wait.ts';
import type { Stage } from './stage.ts';

/** A server takes 4 requests at a time, so 3 is what it should have at most. */
export const stepPolicy = stepPolicyEvery('250ms');

/** `interval`: how often it is evaluated; undefined: the default. */
export function stepPolicyEvery(interval: string | undefined): string {
  return `policies:
  - name: step
    service: $SERVICE
    minReplicas: 1
    maxReplicas: 4
${interval === undefined ? '' : `    interval: ${interval}\n`}    metrics:
      - name: sessions
        source: { type: haproxy, what: sessions }
        target: { type: AverageValue, averageValue: 3 }
    behavior:
      scaleUp: { stabilizationWindowSeconds: 0 }
      scaleDown:
        stabilizationWindowSeconds: 3
        policies: [{ type: Percent, value: 100, periodSeconds: 1 }]
`;
}

export interface StepTimes {
  /** From the first request that waited in HAProxy. */
  decidedMs: number;
  /** From the decision until Docker was creating, or had unpaused, a container, by Docker's own clock. */
  calledMs: number;
  /** From the decision until the audit says that it was created or unparked. */
  actedMs: number;
  /** From the decision to the first answer of an instance that was not there before. */
  servedMs: number;
  counts: LoadCounts;
}

/** Sends so much at once that one instance cannot keep up, until a new one answers. */
export async function timeStep(stage: Stage): Promise<StepTimes> {
  const url = stage.haproxy.url();
  const since = Date.now();
  const old = new Set(
    (await stage.containers()).filter(({ state }) => state === 'running').map(({ id }) => id.slice(0, 12)),
  );
  let saturatedAt: number | undefined;
  let servedAt: number | undefined;
  await using load = startLoad({
    url: `${url}/slow?ms=100`,
    ratePerSecond: 60,
    maxSeconds: 30,
    concurrency: 1000,
    timeoutMs: 25_000,
  });
  const watch = new AbortController();
  const queue = (async () => {
    while (!watch.signal.aborted && saturatedAt === undefined) {
      const csv = await stage.haproxy.cli('show stat app 2 -1');
      const qcur = Number(csv.split('\n')[1]?.split(',')[2] ?? '0');
      const servers = await stage.haproxy.cli('show stat app 4 -1');
      const waiting = servers
        .split('\n')
        .slice(1)
        .reduce((sum, line) => sum + Number(line.split(',')[2] ?? '0'), 0);
      if (qcur + waiting > 0) saturatedAt = Date.now();
    }
  })();
  // Probes beside the load, so that the first answer of a new instance is not missed by more than their gap.
  const probes = (async () => {
    while (!watch.signal.aborted && servedAt === undefined) {
      void whoAnswers(url).then((who) => {
        if (who !== undefined && !old.has(who)) servedAt ??= Date.now();
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await until(() => servedAt !== undefined, { what: 'a new instance answers', deadlineMs: 25_000 }).finally(
    () => watch.abort(),
  );
  await Promise.all([queue, probes]);
  const counts = await load.stop();
  const rows = await until(
    async () => {
      const all = await stage.coordinator.audit(since, { service: stage.service });
      return all.some(({ event }) => isActed(event)) && all;
    },
    { what: 'the audit tells of it', deadlineMs: 25_000 },
  );
  const decided = rows.find(({ event, from, to }) => event === 'scale.decided' && (to ?? 0) > (from ?? 0));
  const acted = rows.find(({ event }) => isActed(event));
  if (decided === undefined || acted === undefined || servedAt === undefined)
    throw new Error(`the audit has ${rows.map(({ event }) => event).join(', ')}`);
  const decidedAt = Date.parse(decided.at);
  return {
    decidedMs: decidedAt - (saturatedAt ?? decidedAt),
    calledMs: (await firstCall(stage, since)) - decidedAt,
    actedMs: Date.parse(acted.at) - decidedAt,
    servedMs: servedAt - decidedAt,
    counts,
  };
}

/** Wall milliseconds at which Docker first created or unpaused a container of the service. */
async function firstCall(stage: Stage, since: number): Promise<number> {
  const text = await stage.engine.run([
    ...['events', '--since', (since / 1000).toFixed(3), '--until', (Date.now() / 1000).toFixed(3)],
    ...['--filter', `label=berth.service=${stage.service}`],
    ...['--filter', 'event=create', '--filter', 'event=unpause', '--format', '{{.TimeNano}}'],
  ]);
  const times = text.split('\n').filter((line) => line !== '');
  if (times.length === 0) throw new Error('Docker tells of no container that was created or unpaused');
  return Math.min(...times.map(Number)) / 1e6;
}

const isActed = (event: string): boolean => event === 'instance.created' || event === 'instance.unparked';

/** Host name of the app, which is its container's short id. */
function whoAnswers(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 25_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text.split(' ')[0]));
    });
    request.on('error', () => resolve(undefined));
  });
}
