// Prometheus' text format and OpenMetrics: `name{label="value",…} number timestamp`, a sample a line. Lines that start
// with `#` describe and are passed over. Timestamps are milliseconds, in OpenMetrics seconds.
// https://prometheus.io/docs/instrumenting/exposition_formats/
import { BerthError } from '../../shared/errors.ts';
import { parseNumber } from './parse-number.ts';
import type { PushedMetric } from './pushed-metrics.ts';

const sample = /^([A-Za-z_:][\w:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+(-?[\d.]+))?(?:\s+#.*)?$/;
const label = /\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;

/** @throws BerthError `request.invalid`, with the number of the line */
export function parsePrometheusText(text: string, isOpenMetrics = false): PushedMetric[] {
  return text.split('\n').flatMap((raw, index): PushedMetric[] => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return [];
    const [, name, labels = '', number = '', timestamp] = sample.exec(line) ?? [];
    const value = parseNumber(number);
    const pairs = parseLabels(labels);
    if (name === undefined || value === undefined || pairs === undefined)
      throw new BerthError(
        'request.invalid',
        `line ${index + 1} is no number and no sample of Prometheus' text format: ${JSON.stringify(line.slice(0, 80))}`,
      );
    const at = timestamp === undefined ? {} : { at: Number(timestamp) * (isOpenMetrics ? 1000 : 1) };
    return [{ name, labels: pairs, value, ...at }];
  });
}

const escapes: Readonly<Record<string, string>> = { n: '\n' };

function parseLabels(text: string): Record<string, string> | undefined {
  const labels: [string, string][] = [];
  label.lastIndex = 0;
  while (label.lastIndex < text.length) {
    const [, name = '', value = ''] = label.exec(text) ?? [];
    if (name === '') return undefined;
    labels.push([name, value.replaceAll(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter)]);
  }
  return Object.fromEntries(labels);
}
