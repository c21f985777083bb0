// Reads a source as the coordinator does, from a configuration as a user writes it.

import type {
  FailedReading,
  PerInstanceReading,
  Reading,
  TotalReading,
} from '../../coordinator/decide/observation.ts';
import { sourceSchema } from '../../coordinator/policy/source-schema.ts';
import { ContainerLooks } from '../../coordinator/sources/container-looks.ts';
import { createSource } from '../../coordinator/sources/create-source.ts';
import { HaproxyLoads } from '../../coordinator/sources/haproxy-loads.ts';
import { HttpClient } from '../../coordinator/sources/http-client.ts';
import { PushedMetrics } from '../../coordinator/sources/pushed-metrics.ts';
import { deadlineReason } from '../../coordinator/sources/reading-error.ts';
import type { SourceDependencies, SourceParts, SourceTarget } from '../../coordinator/sources/source.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';

export const webTarget: SourceTarget = { service: 'web', backend: 'app' };

export interface TestSource {
  /** One read, with a deadline of 5 s unless another is given. */
  read(deadlineMs?: number): Promise<Reading>;
}

/** The configuration goes through the schema, so a test that uses an unknown key fails. */
export function testSource(
  config: object,
  dependencies: Partial<SourceDependencies> & { clock?: Clock } = {},
  target = webTarget,
): TestSource {
  const clock = dependencies.clock ?? systemClock;
  const own: SourceDependencies = {
    haproxys: () => [],
    agents: () => [],
    instances: () => [],
    containers: { containerStats: async () => undefined },
    pushed: new PushedMetrics(clock),
    ...dependencies,
  };
  const http = new HttpClient();
  const loads = new HaproxyLoads(() => own.haproxys(), clock);
  const looks = new ContainerLooks(own.containers, clock);
  const parts: SourceParts = { ...own, http, loads, looks };
  const source = createSource(sourceSchema.parse(config), target, parts);
  return {
    read: async (deadlineMs = 5000) => {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(deadlineReason(deadlineMs)), deadlineMs);
      try {
        return await source.read({ signal: controller.signal, deadlineMs, freshMs: 0, clock });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

export function totalOf(reading: Reading): TotalReading {
  if (reading.ok && reading.shape === 'total') return reading;
  throw new Error(`expected a total, got ${JSON.stringify(reading)}`);
}

export function samplesOf(reading: Reading): PerInstanceReading['samples'] {
  if (reading.ok && reading.shape === 'perInstance') return reading.samples;
  throw new Error(`expected values of instances, got ${JSON.stringify(reading)}`);
}

export function failureOf(reading: Reading): FailedReading {
  if (!reading.ok) return reading;
  throw new Error(`expected a failed reading, got ${JSON.stringify(reading)}`);
}
