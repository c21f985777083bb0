// Compares only the keys that a record expects. Integers and booleans exactly, fractions within a tolerance.
import { isInput } from './fields.ts';

const tolerances: Readonly<Record<string, number>> = { decay_coefficient: 1e-5, alert_gradient: 0.01 };
const tolerancesByName: Readonly<Record<string, number>> = { 'weighted-average-2to6': 5e-4 };

/** Integers that do not fit in 2^53 are compared as far as a double can hold them. */
const doublePrecision = 2 ** -50;

export type Comparison = { readonly kind: string; readonly name: string };

/** Every difference, as `path: expected …, got …`. */
export function differences(expected: unknown, actual: unknown, record: Comparison, path = ''): string[] {
  if (isInput(expected)) {
    if (!isInput(actual)) return [fault(path, expected, actual)];
    return Object.entries(expected).flatMap(([key, value]) =>
      differences(value, actual[key], record, path === '' ? key : `${path}.${key}`),
    );
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return [fault(path, expected, actual)];
    return expected.flatMap((value, index) => differences(value, actual[index], record, `${path}[${index}]`));
  }
  return isSame(expected, actual, record, path) ? [] : [fault(path, expected, actual)];
}

function isSame(expected: unknown, actual: unknown, record: Comparison, path: string): boolean {
  if (path === 'error') return isSameError(expected, actual);
  if (typeof expected === 'string' && typeof actual === 'number' && /^\d+$/.test(expected)) {
    return Math.abs(Number(BigInt(expected)) - actual) <= Number(BigInt(expected)) * doublePrecision;
  }
  if (path === 'result' && expected === 'none') return actual === null || actual === undefined;
  if (typeof expected !== 'number' || typeof actual !== 'number') return expected === (actual ?? null);
  if (path.endsWith('excessBurstCapacity')) return Math.abs(expected - actual) <= 1;
  const tolerance = tolerancesByName[record.name] ?? tolerances[record.kind];
  if (tolerance !== undefined) return Math.abs(expected - actual) <= tolerance;
  return Number.isInteger(expected) && Number.isInteger(actual)
    ? expected === actual
    : Math.abs(expected - actual) <= 1e-6;
}

/** `true` and codes that Berth does not tell apart stand for any error; false for none. */
function isSameError(expected: unknown, actual: unknown): boolean {
  const hasError = actual !== undefined && actual !== false && actual !== null;
  if (expected === false || expected === null) return !hasError;
  if (expected === true || actual === true) return hasError;
  const codes = errorCodes[String(expected)];
  return codes === undefined ? hasError : codes.includes(String(actual));
}

const errorCodes: Readonly<Record<string, readonly string[]>> = {
  missing_request: ['missing-request'],
  container_not_found: ['no-such-part'],
  no_known_instance: ['no-requests'],
  result_nan: ['nan'],
  result_infinite: ['infinite'],
  nothing_to_clone: ['nothing-to-clone'],
  target_missing: ['target'],
  threshold_invalid: ['threshold'],
  max_scale_up_invalid: ['maxScaleUp'],
  max_scale_down_invalid: ['maxScaleDown'],
  bad_start_time: ['startTime'],
};

function fault(path: string, expected: unknown, actual: unknown): string {
  return `${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`;
}
