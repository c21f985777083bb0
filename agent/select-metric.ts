// Picks one number out of a document: a plain number, a dotted path into JSON, or a Prometheus name. Pure. What is not
// there, or is not a finite number, is an error and never 0.
import { BerthError } from '../shared/errors.ts';

function failed(message: string, hint?: string): BerthError {
  return new BerthError('source.failed', message, { hint });
}

function toNumber(value: unknown, what: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    throw failed(`${what} is ${String(JSON.stringify(value)).slice(0, 100)}, not a number`);
  }
  return number;
}

function selectJson(body: string, path: string): number {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw failed(`the body starts like JSON and is not: ${JSON.stringify(body.slice(0, 60))}`);
  }
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw failed(`there is no ${JSON.stringify(key)} of ${JSON.stringify(path)} in the JSON`);
    }
    value = Object.entries(value).find(([name]) => name === key)?.[1];
  }
  return toNumber(value, path);
}

interface Sample {
  name: string;
  labels: ReadonlyMap<string, string>;
}

/** `name` or `name{label="value",…}`, as in the exposition format and in a selector. */
function parseSample(text: string): Sample | undefined {
  const match = /^([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(.*)\})?$/.exec(text.trim());
  if (match?.[1] === undefined) return undefined;
  const labels = new Map<string, string>();
  for (const label of (match[2] ?? '').matchAll(/([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"/g)) {
    labels.set(label[1] ?? '', label[2] ?? '');
  }
  return { name: match[1], labels };
}

function selectPrometheus(body: string, selector: string): number {
  const wanted = parseSample(selector);
  if (wanted === undefined) throw failed(`${JSON.stringify(selector)} is not a Prometheus name`);
  let total: number | undefined;
  for (const line of body.split('\n')) {
    const match = /^([A-Za-z_:][A-Za-z0-9_:]*(?:\s*\{.*\})?)\s+(\S+)(?:\s+-?\d+)?\s*$/.exec(line);
    if (match?.[1] === undefined) continue;
    const sample = parseSample(match[1]);
    if (sample?.name !== wanted.name) continue;
    if ([...wanted.labels].every(([label, value]) => sample.labels.get(label) === value)) {
      total = (total ?? 0) + toNumber(match[2], selector);
    }
  }
  if (total === undefined) throw failed(`there is no sample ${selector} in the body`);
  return total;
}

/** @throws BerthError `source.failed` */
export function selectMetric(body: string, selector: string | undefined): number {
  if (selector === undefined) return toNumber(body.trim(), 'the body');
  return /^\s*[[{]/.test(body) ? selectJson(body, selector) : selectPrometheus(body, selector);
}
