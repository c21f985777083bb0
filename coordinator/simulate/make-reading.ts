// What a source would say about the simulated service.
//
//   haproxy     sessions (served and waiting), requests a second over the window, queue, response time, share of errors
//   docker      CPU as the share of capacity in use, all of it while an instance starts; memory is 40 % of its request
//   agent       each instance's share of what is served
//   brokers     what waits and what is being worked on, with the rates in and out
//   the others  the load
import type { InstanceSample, Reading } from '../decide/observation.ts';
import type { SourceConfig } from '../policy/source-schema.ts';
import { isBacklog } from './service-model.ts';
import type { VirtualService } from './virtual-service.ts';

export type Sight = {
  /** `blind`: half of it is missing, and nothing says so. */
  readonly state: 'whole' | 'partial' | 'blind' | 'away';
};

const memoryShare = 0.4;
const sampleWindowMs = 1000;
const cores = 1000;
const bytes = 2 ** 28;

export function makeReading(source: SourceConfig, service: VirtualService, t: number, sight: Sight): Reading {
  if (sight.state === 'away')
    return { ok: false, code: 'unreachable', message: 'the source is away (simulated)' };
  return withHalf(whole(source, service, t), sight);
}

function whole(source: SourceConfig, service: VirtualService, t: number): Reading {
  switch (source.type) {
    case 'haproxy':
      return haproxyReading(source, service, t);
    case 'docker':
      return dockerReading(source, service, t);
    case 'agent': {
      const ready = service.ready(t);
      return perInstance(ready.map(({ id }) => [id, { value: service.traffic.served / ready.length }]));
    }
    case 'rabbitmq':
    case 'activemq':
      return brokerReading(source, service);
    case 'redis':
    case 'sql':
      return total(backlog(service));
    case 'prometheus':
    case 'elasticsearch':
    case 'http':
    case 'pushed':
      return total(service.traffic.arrived);
  }
}

function haproxyReading(
  source: Extract<SourceConfig, { type: 'haproxy' }>,
  service: VirtualService,
  t: number,
): Reading {
  const { traffic, model } = service;
  switch (source.what) {
    case 'sessions':
      return total(backlog(service));
    case 'queue':
      return total(traffic.queue);
    case 'requestRate':
      return total(service.rate(t, source.window));
    case 'responseTime': {
      if (traffic.served === 0)
        return { ok: false, code: 'too-few-requests', message: 'nothing is served (simulated)' };
      return total(model.serviceMs + (traffic.queue / traffic.served) * 1000);
    }
    case 'errorRate':
      return total(traffic.arrived === 0 ? 0 : Math.min(1, traffic.givenUp / traffic.arrived));
  }
}

function dockerReading(
  source: Extract<SourceConfig, { type: 'docker' }>,
  service: VirtualService,
  t: number,
): Reading {
  const request = source.request ?? (source.what === 'cpu' ? cores : bytes);
  const usage = service.usage(t);
  const samples = service.observe(t).map(({ id, ready }) => {
    const share = source.what === 'memory' ? memoryShare : ready === true ? usage : 1;
    return [
      id,
      { value: share * request, request, windowMs: source.what === 'cpu' ? sampleWindowMs : 0 },
    ] as const;
  });
  return perInstance(samples);
}

function brokerReading(
  source: Extract<SourceConfig, { type: 'rabbitmq' | 'activemq' }>,
  service: VirtualService,
): Reading {
  const { arrived, served } = service.traffic;
  if (!isBacklog(source))
    return total(source.what === 'publishRate' || source.what === 'enqueueRate' ? arrived : served);
  return { ...total(backlog(service)), arrivalsPerSecond: arrived, acknowledgedPerSecond: served };
}

/** What is in work, and what waits. */
function backlog({ traffic, model }: VirtualService): number {
  return (traffic.served * model.serviceMs) / 1000 + traffic.queue;
}

function total(value: number): Extract<Reading, { shape: 'total' }> {
  return { ok: true, shape: 'total', value, ageMs: 0 };
}

function perInstance(
  entries: readonly (readonly [string, Partial<InstanceSample> & { value: number }])[],
): Reading {
  if (entries.length === 0) return { ok: false, code: 'empty', message: 'there is no instance (simulated)' };
  const samples = entries.map(([id, sample]) => [id, { ageMs: 0, windowMs: 0, ...sample }] as const);
  return { ok: true, shape: 'perInstance', samples: Object.fromEntries(samples) };
}

function withHalf(reading: Reading, { state }: Sight): Reading {
  if (!reading.ok || state === 'whole') return reading;
  const partial = state === 'partial' ? { partial: 'one of two is missing (simulated)' } : {};
  if (reading.shape === 'total') return { ...reading, value: reading.value / 2, ...partial };
  const entries = Object.entries(reading.samples);
  const half = entries.slice(0, Math.ceil(entries.length / 2));
  return { ...reading, samples: Object.fromEntries(half), ...partial };
}
