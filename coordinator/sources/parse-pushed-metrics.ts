// What may be posted to /api/v1/metrics, told apart by content type and shape:
//
//   text/plain                  one number (with a name from the request), or Prometheus' text format
//   application/json            a number; {name, value, labels?, timestamp?}; a list of those; a Metricbeat document; the
//                               webhook of Datadog, its series, or the webhook of Google Cloud Monitoring (Stackdriver)
//   application/x-protobuf      Prometheus' remote write, version 1
//
// curl sends a form's content type with `-d`, so what is no known type is read as JSON or as text by its first letter.
import { BerthError } from '../../shared/errors.ts';
import { parseNumber } from './parse-number.ts';
import { namedNumber, parsePushedJson } from './pushed-json.ts';
import type { PushedMetric } from './pushed-metrics.ts';
import { parsePrometheusText } from './pushed-prometheus-text.ts';
import { parseRemoteWrite } from './pushed-remote-write.ts';

const maxTextLength = 1000;

/**
 * The metrics in the body of a post.
 * @param name the name that a bare number gets
 * @throws BerthError `request.invalid`
 */
export function parsePushedMetrics(contentType: string, body: Uint8Array, name?: string): PushedMetric[] {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const metrics = parse(type, contentType, body, name);
  for (const metric of metrics) {
    const texts = [metric.name, ...Object.entries(metric.labels).flat()];
    if (metric.name === '' || texts.some((text) => text.length > maxTextLength))
      throw new BerthError(
        'request.invalid',
        `a metric has an empty name, or a name or label longer than ${maxTextLength}: ${metric.name.slice(0, 60)}`,
      );
  }
  return metrics;
}

function parse(
  type: string,
  contentType: string,
  body: Uint8Array,
  name: string | undefined,
): PushedMetric[] {
  if (type === 'application/x-protobuf') {
    if (contentType.includes('io.prometheus.write.v2'))
      throw new BerthError('request.invalid', "version 2 of Prometheus' remote write is not understood", {
        hint: 'set `protobuf_message: prometheus.WriteRequest` in its remote_write section',
      });
    return parseRemoteWrite(body);
  }
  const text = new TextDecoder().decode(body).trim();
  if (type === 'application/json' || type.endsWith('+json') || /^[[{"]/.test(text)) {
    return parsePushedJson(parseJson(text), name);
  }
  const number = parseNumber(text);
  if (number !== undefined) return [namedNumber(number, name)];
  return parsePrometheusText(text, type === 'application/openmetrics-text');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BerthError('request.invalid', `the body is no JSON: ${JSON.stringify(text.slice(0, 60))}`, {
      cause,
    });
  }
}
