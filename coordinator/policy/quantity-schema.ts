// Amounts of CPU and memory as people write them for Docker and Kubernetes.
import { z } from 'zod';

const cpuFactors: Record<string, number> = { m: 1, '': 1000 };
const memoryFactors: Record<string, number> = {
  '': 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Cores (`0.5`) or thousandths (`500m`); the parsed value is in thousandths of a core. */
export const cpuAmount = amount(cpuFactors, 'cores, such as 0.5 or `500m`');

/** Bytes, or `256Mi`, `1G`; the parsed value is in bytes. */
export const memoryAmount = amount(memoryFactors, 'bytes, or a text such as `256Mi`');

function amount(factors: Record<string, number>, expected: string) {
  return z.union([z.number(), z.string()]).transform((written, context) => {
    const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(written).trim());
    const factor = match === null ? undefined : factors[match[2] ?? ''];
    const value = factor === undefined ? Number.NaN : Math.round(Number(match?.[1]) * factor);
    if (value > 0 && Number.isSafeInteger(value)) return value;
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(written)} is not an amount: write ${expected}`,
    });
    return z.NEVER;
  });
}
