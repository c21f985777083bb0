// From what a source gave to what a metric may use: too old, empty or not a number become errors, or 0 where the policy says so.
import type { FailedReading, PerInstanceReading, Reading, TotalReading } from './observation.ts';
import type { Metric } from './policy.ts';

export type Usable = TotalReading | PerInstanceReading | FailedReading;

const zero: TotalReading = { ok: true, shape: 'total', value: 0, ageMs: 0 };

export function usableReading(reading: Reading | undefined, metric: Metric): Usable {
  if (reading === undefined) return failed('unknown', 'the source gave no reading');
  if (!reading.ok) {
    const isZero =
      (reading.code === 'empty' && metric.whenEmpty === 'zero') ||
      (reading.code === 'nan' && metric.onNaN === 'zero');
    return isZero ? zero : reading;
  }
  if (reading.shape === 'perInstance') return metric.onNaN === 'zero' ? withoutNaN(reading) : reading;
  if (!Number.isFinite(reading.value)) {
    return metric.onNaN === 'zero' ? zero : failed('nan', 'the source gave no finite number');
  }
  if (metric.maxAgeMs !== null && reading.ageMs > metric.maxAgeMs) {
    return failed('stale', `the value is ${Math.round(reading.ageMs / 1000)}s old`);
  }
  return reading;
}

function failed(code: FailedReading['code'], message: string): FailedReading {
  return { ok: false, code, message };
}

function withoutNaN(reading: PerInstanceReading): PerInstanceReading {
  const samples = Object.entries(reading.samples);
  if (samples.every(([, sample]) => Number.isFinite(sample.value))) return reading;
  const finite = samples.map(([id, sample]) => [
    id,
    Number.isFinite(sample.value) ? sample : { ...sample, value: 0 },
  ]);
  return { ...reading, samples: Object.fromEntries(finite) };
}
