// The small sums behind the proposals, in whole units: thousandths of a core, bytes, or thousandths of any other metric. Averages and
// percentages are cut down to whole numbers, as the HPA does: 50.9 % acts as 50 %.

export type RequestPart = { readonly name: string; readonly request: number | null };

/** What the parts requested together, or only the part named `only`. A missing request is an error, not 0 (AUTOSCALING.md, 10). */
export function totalRequest(
  parts: readonly RequestPart[],
  only: string | null = null,
): { ok: true; request: number } | { ok: false; code: 'missing-request' | 'no-such-part'; part: string } {
  let request = 0;
  let found = only === null;
  for (const part of parts) {
    if (only !== null && part.name !== only) continue;
    found = true;
    if (part.request === null) return { ok: false, code: 'missing-request', part: part.name };
    request += part.request;
  }
  return found ? { ok: true, request } : { ok: false, code: 'no-such-part', part: only ?? '' };
}

/** Usage against request as a whole percentage, and against the target percentage as a ratio. null: nothing was requested. */
export function utilizationRatio(
  usage: number,
  request: number,
  targetPercent: number,
): { ratio: number; percent: number } | null {
  if (request <= 0) return null;
  const percent = Math.floor((100 * usage) / request);
  return { ratio: percent / targetPercent, percent };
}

/** The average of `count` instances against a target for each, both in thousandths. */
export function usageRatio(total: number, count: number, target: number): { ratio: number; average: number } {
  const average = Math.floor(total / count);
  return { ratio: average / target, average };
}

/** Usage for each of `replicas`, rounded up; 0 when there are none. For reports. */
export function usagePerInstance(usage: number, replicas: number): number {
  return replicas === 0 ? 0 : Math.ceil(usage / replicas);
}
