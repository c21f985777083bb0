import { createHash } from 'node:crypto';

/** A short name for what `parts` say: equal for equal parts, and for nothing else. */
export function fingerprintOf(...parts: readonly (string | number | undefined)[]): string {
  const text = JSON.stringify(parts.map((part) => part ?? null));
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
