// The numbers that travel in the heartbeat: the app's own (BERTH_APP_METRICS) and the container's CPU and memory. A
// read that fails leaves the last number standing, and its growing age says so; nothing is ever made up.
import type { Clock } from '../shared/clock.ts';
import { BerthError, describeError } from '../shared/errors.ts';
import { formatHostPort } from '../shared/haproxy/endpoint.ts';
import type { Log } from '../shared/log.ts';
import type { Heartbeat } from '../shared/protocol.ts';
import { type CgroupSample, coresInUse, type ReadCgroup, readCgroup } from './cgroup.ts';
import type { MetricSource } from './metric-source.ts';
import type { ProbeTarget } from './probe-attempt.ts';
import { selectMetric } from './select-metric.ts';

export interface AppMetricsSettings {
  sources: readonly MetricSource[];
  interval: number;
  timeout: number;
}

const maxBytes = 1024 * 1024;

export class AppMetrics {
  readonly #settings: AppMetricsSettings;
  readonly #target: () => ProbeTarget | undefined;
  readonly #cgroup: ReadCgroup;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #samples = new Map<string, { value: number; at: number }>();
  readonly #failing = new Set<string>();
  #before: { sample: CgroupSample; at: number } | undefined;

  /** `target` is where the app is; undefined while it has not answered yet, when there is nothing to read. */
  constructor(
    settings: AppMetricsSettings,
    target: () => ProbeTarget | undefined,
    cgroup: ReadCgroup,
    hooks: { clock: Clock; log: Log },
  ) {
    this.#settings = settings;
    this.#target = target;
    this.#cgroup = cgroup;
    this.#clock = hooks.clock;
    this.#log = hooks.log;
  }

  /** The last numbers with their ages. */
  snapshot(): NonNullable<Heartbeat['metrics']> {
    const now = this.#clock.monotonic();
    return Object.fromEntries(
      [...this.#samples].map(([name, { value, at }]) => [name, { value, ageMs: Math.round(now - at) }]),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#sampleContainer();
      const target = this.#target();
      if (target !== undefined) {
        const samples = this.#settings.sources.map((source) => this.#sampleSource(source, target, signal));
        await Promise.all(samples);
      }
      await this.#clock.sleep(this.#settings.interval, signal);
    }
  }

  #sampleContainer(): void {
    const sample = readCgroup(this.#cgroup);
    if (sample === undefined) return;
    const at = this.#clock.monotonic();
    const cores =
      this.#before === undefined ? undefined : coresInUse(this.#before.sample, sample, at - this.#before.at);
    this.#before = { sample, at };
    const numbers = {
      'container.cpu': cores,
      'container.cpu.limit': sample.cpuLimit,
      'container.memory': sample.memoryBytes,
      'container.memory.limit': sample.memoryLimit,
    };
    for (const [name, value] of Object.entries(numbers)) {
      if (value === undefined) this.#samples.delete(name);
      else this.#samples.set(name, { value, at });
    }
  }

  async #sampleSource(source: MetricSource, target: ProbeTarget, signal: AbortSignal): Promise<void> {
    const { name } = source;
    const timeout = AbortSignal.timeout(this.#settings.timeout);
    try {
      const body = await this.#read(source, target, timeout);
      const value = selectMetric(body, source.selector);
      this.#samples.set(name, { value, at: this.#clock.monotonic() });
      if (this.#failing.delete(name)) {
        this.#log.info({ event: 'metric.recovered', metric: name }, `${name} can be read again`);
      }
    } catch (error) {
      if (signal.aborted || this.#failing.has(name)) return;
      this.#failing.add(name);
      const reason = timeout.aborted ? `no answer within ${this.#settings.timeout} ms` : describeError(error);
      this.#log.warn(
        { event: 'metric.failed', metric: name, error: reason },
        `${name} cannot be read: ${reason}`,
      );
    }
  }

  async #read({ place }: MetricSource, target: ProbeTarget, signal: AbortSignal): Promise<string> {
    if (place.kind === 'file') {
      const { readMetricFile } = await import('./read-metric-file.ts');
      return readMetricFile(place.path, maxBytes, signal);
    }
    if (place.kind === 'url') return fetchText(place.url, signal);
    return fetchText(`http://${formatHostPort(target.address, target.port)}${place.path}`, signal);
  }
}

/** The body of a 2xx answer, as text. */
async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  const { get } = await import('node:http');
  return new Promise((resolve, reject) => {
    const request = get(
      url,
      { agent: false, signal, headers: { 'user-agent': 'berth-agent' } },
      (response) => {
        const status = response.statusCode ?? 0;
        if (status < 200 || status > 299) {
          request.destroy();
          reject(new BerthError('source.failed', `${url} answered with status ${status}`));
          return;
        }
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
          if (body.length > maxBytes)
            request.destroy(new BerthError('source.failed', `${url} sent more than 1 MB`));
        });
        response.on('end', () => resolve(body));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
  });
}
