// A metric written as in a policy file, read by the same schema and proposing by the same code as in the live loop.
import type { Reading } from '../../../coordinator/decide/observation.ts';
import type { Metric } from '../../../coordinator/decide/policy.ts';
import type { Proposal } from '../../../coordinator/decide/proposals/proposal.ts';
import { propose } from '../../../coordinator/decide/proposals/propose.ts';
import { directionOf } from '../../../coordinator/decide/saturate.ts';
import type { MetricMemory } from '../../../coordinator/decide/state.ts';
import { metricSchema } from '../../../coordinator/policy/metric-schema.ts';
import { normalizeMetric } from '../../../coordinator/policy/normalize-metric.ts';
import type { Answer } from '../adapter.ts';
import type { Input } from '../fields.ts';
import { policy } from './policies.ts';

/** The metric, or the name of the first field that was refused. */
export function parseMetric(written: Input): { metric: Metric } | { refused: string } {
  const given = Object.fromEntries(
    Object.entries(written).filter(([, value]) => value !== null && value !== undefined),
  );
  const parsed = metricSchema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { refused: String(issue?.path.find((key) => key !== 'target') ?? 'target') };
  }
  const config = { timeZone: undefined, holidays: [] };
  return { metric: normalizeMetric(parsed.data, { config, intervalMs: 1000, activeAbove: 0 }) };
}

export type Situation = { readonly n: number; readonly low?: number; readonly high?: number };

export function proposeFor(
  metric: Metric,
  value: number | null,
  { n, low = 0, high = Number.MAX_SAFE_INTEGER }: Situation,
  memory?: MetricMemory,
): Proposal {
  const reading: Reading =
    value === null
      ? { ok: false, code: 'empty', message: 'the record has no value' }
      : { ok: true, shape: 'total', value, ageMs: 0 };
  const instances = Array.from({ length: n }, (_, index) => ({
    id: `i${index}`,
    phase: 'running' as const,
    ready: true,
    startAgeMs: 1e9,
    readyChangedAgeMs: 1e9,
  }));
  return propose(metric, reading, memory, {
    policy: policy({}),
    n,
    observed: n,
    ready: n,
    instances,
    alerts: [],
    t: 0,
    wallMs: 0,
    startupMs: 0,
    low,
    high,
    lookup: () => undefined,
  }).proposal;
}

export function answerOf(proposal: Proposal, n: number): Answer {
  if (proposal.outcome === 'invalid') return { result: null, error: proposal.code };
  if (proposal.outcome !== 'value') return { count: n, direction: 'none' };
  return { count: proposal.count, direction: directionOf(n, proposal.count) };
}
