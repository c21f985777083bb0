// From a configuration to its source. A source that is made here never throws for what is wrong with the source: that
// becomes a failed reading which names it. It does throw when the coordinator's own signal ends the read.
import type { Reading } from '../decide/observation.ts';
import type { SourceConfig, SourceType } from '../policy/source-schema.ts';
import { activemqSource } from './activemq-source.ts';
import { agentSource } from './agent-source.ts';
import { dockerSource } from './docker-source.ts';
import { elasticsearchSource } from './elasticsearch-source.ts';
import { haproxySource } from './haproxy-source.ts';
import { httpSource } from './http-source.ts';
import { prometheusSource } from './prometheus-source.ts';
import { pushedSource } from './pushed-source.ts';
import { rabbitmqSource } from './rabbitmq-source.ts';
import { failedReading, isTimeout } from './reading-error.ts';
import { redisSource } from './redis-source.ts';
import { shownUrl } from './shown-url.ts';
import type { ReadContext, Source, SourceParts, SourceTarget } from './source.ts';
import { sqlSource } from './sql-source.ts';

export function createSource(config: SourceConfig, target: SourceTarget, parts: SourceParts): Source {
  const source = makeSource(config, target, parts);
  const label = sourceLabel(config, target);
  return {
    read: async (context: ReadContext): Promise<Reading> => {
      try {
        return named(await source.read(context), label);
      } catch (error) {
        if (context.signal.aborted && !isTimeout(context.signal.reason)) throw context.signal.reason;
        return named(failedReading(error), label);
      }
    },
  };
}

function named(reading: Reading, label: string): Reading {
  return reading.ok ? reading : { ...reading, message: `${label}: ${reading.message}` };
}

function makeSource(config: SourceConfig, target: SourceTarget, parts: SourceParts): Source {
  switch (config.type) {
    case 'haproxy':
      return haproxySource(config, target, parts);
    case 'agent':
      return agentSource(config, target, parts);
    case 'docker':
      return dockerSource(config, target, parts);
    case 'prometheus':
      return prometheusSource(config, target, parts);
    case 'elasticsearch':
      return elasticsearchSource(config, parts);
    case 'rabbitmq':
      return rabbitmqSource(config, parts);
    case 'activemq':
      return activemqSource(config, parts);
    case 'redis':
      return redisSource(config);
    case 'sql':
      return sqlSource(config);
    case 'http':
      return httpSource(config, parts);
    case 'pushed':
      return pushedSource(config, parts);
  }
}

/** How a message names a source, without credentials. */
export function sourceLabel(config: SourceConfig, { service, backend }: SourceTarget): string {
  switch (config.type) {
    case 'haproxy':
      return `HAProxy's ${config.what} of ${config.backend ?? backend}`;
    case 'agent':
      return `${config.metric} of the agents of ${service}`;
    case 'docker':
      return `Docker's ${config.what} of ${service}`;
    case 'pushed':
      return `pushed ${config.metric}`;
    case 'elasticsearch':
      return `elasticsearch ${shownUrl(config.url)} index ${config.index}`;
    case 'rabbitmq':
    case 'activemq':
      return `${config.type} ${shownUrl(config.url)} queue ${config.queue}`;
    case 'redis':
      return `redis ${shownUrl(config.url)} key ${config.key}`;
    case 'prometheus':
    case 'sql':
    case 'http':
      return `${config.type} ${shownUrl(config.url)}`;
  }
}

/** Sources of these types belong to a service or its backend; the others read the same for everybody. */
const own: ReadonlySet<SourceType> = new Set(['haproxy', 'agent', 'docker']);

/** Equal for configurations that read the same. */
export function sourceKey(config: SourceConfig, target: SourceTarget): string {
  const isOwn = own.has(config.type) || (config.type === 'prometheus' && config.instanceLabel !== undefined);
  return canonical(isOwn ? [config, target] : config);
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Sources that wait for the same peer share a pool; those in memory need none. */
export function poolKey(config: SourceConfig): string | undefined {
  switch (config.type) {
    case 'agent':
    case 'pushed':
      return undefined;
    case 'haproxy':
    case 'docker':
      return config.type;
    default:
      return `${config.type} ${new URL(config.url).host || config.url}`;
  }
}
