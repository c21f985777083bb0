// Amounts as people write them for Docker and Kubernetes.
import { z } from 'zod';

const binary: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
const decimal: Record<string, number> = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9 };

/** Cores (`0.5`) or thousandths (`500m`); the parsed value is in thousandths of a core. */
export const cpuAmount = amount({ m: 1, '': 1000 }, 'cores, such as 0.5 or `500m`', true);

/** Bytes, or `256Mi`, `1G`; the parsed value is in bytes. */
export const memoryAmount = amount({ ...decimal, ...binary }, 'bytes, or a text such as `256Mi`', true);

/** A number above 0, which may be written as Kubernetes does: `500m`, `10k`, `1Gi`. */
export const targetAmount = amount(
  { ...decimal, ...binary, m: 0.001 },
  'a number above 0, such as 100 or `500m`',
  false,
);

function amount(factors: Record<string, number>, expected: string, isWhole: boolean) {
  return z.union([z.number(), z.string()]).transform((written, context) => {
    const match = /^(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)([A-Za-z]*)$/.exec(String(written).trim());
    const factor =
      match === null || !Object.hasOwn(factors, match[2] ?? '') ? undefined : factors[match[2] ?? ''];
    const exact = factor === undefined ? Number.NaN : Number(match?.[1]) * factor;
    const value = isWhole ? Math.round(exact) : exact;
    if (value > 0 && Number.isFinite(value)) return value;
    const fault = value <= 0 ? 'must be above 0' : `is not ${expected}`;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(written)} ${fault}` });
    return z.NEVER;
  });
}
