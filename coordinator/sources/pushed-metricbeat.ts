// A Metricbeat document. Every number below the key that its module is called becomes a metric under its dotted path
// (`system.cpu.total.pct`). What it is about becomes labels: the host, the container, and the texts below the module
// that name something (`system.network.name`). Other texts are states, which change, and a label that changes would make
// two series of one. https://www.elastic.co/docs/reference/beats/metricbeat/metricbeat-modules
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import type { PushedMetric } from './pushed-metrics.ts';
import { timestampSchema } from './pushed-values.ts';

const named = z.looseObject({ name: z.string().optional(), id: z.string().optional() }).optional();

const documentSchema = z.looseObject({
  '@timestamp': timestampSchema.optional(),
  event: z.looseObject({ module: z.string().optional() }).optional(),
  // Metricbeat 6 has the module here.
  metricset: z.looseObject({ module: z.string().optional() }).optional(),
  host: named,
  // Metricbeat 6 names the host here.
  beat: z.looseObject({ hostname: z.string().optional() }).optional(),
  container: named,
});

const naming =
  /(?:^|\.)(?:name|id|device|device_name|mount_point|interface|vhost|queue|topic|database|address)$/;

/** @throws ZodError; BerthError `request.invalid` */
export function parseMetricbeat(document: object): PushedMetric[] {
  const {
    '@timestamp': at,
    event,
    metricset,
    host,
    beat,
    container,
    ...rest
  } = documentSchema.parse(document);
  const module = event?.module ?? metricset?.module;
  const numbers = module === undefined ? undefined : rest[module];
  if (module === undefined || typeof numbers !== 'object' || numbers === null)
    throw new BerthError(
      'request.invalid',
      `this document of Metricbeat has no numbers of a module: ${module}`,
    );
  const leaves = leavesOf(numbers, module);
  const texts = leaves.flatMap(([path, value]) =>
    typeof value === 'string' && naming.test(path) ? [[path, value] as const] : [],
  );
  const about = {
    'host.name': host?.name ?? beat?.hostname,
    'container.id': container?.id,
    'container.name': container?.name,
  };
  const labels = Object.fromEntries([
    ...Object.entries(about).flatMap(([label, value]) =>
      value === undefined ? [] : [[label, value] as const],
    ),
    ...texts,
  ]);
  return leaves.flatMap(([name, value]) =>
    typeof value === 'number' ? [{ name, labels, value, ...(at === undefined ? {} : { at }) }] : [],
  );
}

function leavesOf(value: object, path: string): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null
      ? leavesOf(inner, `${path}.${key}`)
      : [[`${path}.${key}`, inner]],
  );
}
