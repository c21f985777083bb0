// From all proposals to one size. A source that failed, or that only part of answered, may not lower it: up is allowed, down is not.
// When all failed the size stays, until the fallback is due.
import { chooseVote, type Vote } from './combine.ts';
import { evaluateExpression } from './evaluate-expression.ts';
import { countFailures, type Failures, fallbackSize, isFallbackDue } from './fallback.ts';
import type { Policy } from './policy.ts';
import type { Proposal } from './proposals/proposal.ts';
import { isBlind, type MetricContext, type MetricRecord, proposalLookup } from './read-metrics.ts';
import type { ReasonCode } from './reasons.ts';
import { directionOf } from './saturate.ts';

export type Combined = {
  readonly count: number;
  readonly code: ReasonCode;
  /** What the metrics alone would have given, before missing data or a guard held it. */
  readonly wanted: number;
  /** The metric whose proposal won; null with an expression, or when none did. */
  readonly winner: string | null;
  /** Metrics that failed or are incomplete, and guards that forbid going down. */
  readonly blind: readonly string[];
  readonly guarding: readonly string[];
  readonly allFailed: boolean;
  readonly usedFallback: boolean;
  readonly failures: Failures;
};

export function combineMetrics(
  context: MetricContext,
  metrics: readonly MetricRecord[],
  before: Failures,
): Combined {
  const { policy, n, t, low } = context;
  const deciding = metrics.filter((metric) => metric.role === 'decide');
  const failed = deciding.filter((metric) => metric.proposal.outcome === 'invalid');
  const blind = metrics.filter(isBlind).map((metric) => metric.name);
  const guarding = metrics.filter(isGuarding).map((metric) => metric.name);
  const base = { winner: null, blind, guarding, allFailed: false, usedFallback: false, failures: before };
  if (deciding.length === 0) return { ...base, count: low, wanted: low, code: movement(n, low) };

  const vote = failed.length === deciding.length ? 'failed' : voteOf(context, deciding);
  const failures = countFailures(before, vote === 'failed', policy.fallback, t);
  const known = { ...base, failures };
  if (vote === 'failed') {
    const { fallback } = policy;
    const held = { ...known, allFailed: true, wanted: n };
    if (!isFallbackDue(failures, fallback, t)) return { ...held, count: n, code: 'AllSourcesFailed' };
    const count = fallbackSize(fallback.replicas, fallback.behavior, n);
    return { ...held, count, wanted: count, code: 'Fallback', usedFallback: true };
  }
  if (vote === null) return { ...known, count: n, wanted: n, code: 'NoProposal' };
  const chosen = { ...known, wanted: vote.count, winner: vote.winner };
  if (vote.count < n && blind.length > 0) return { ...chosen, count: n, code: 'HeldByMissingData' };
  if (vote.count < n && guarding.length > 0) return { ...chosen, count: n, code: 'GuardMetric' };
  return { ...chosen, count: vote.count, code: movement(n, vote.count) };
}

function movement(n: number, count: number): ReasonCode {
  if (count === n) return 'WithinTolerance';
  return count > n ? 'MetricsAbove' : 'MetricsBelow';
}

function isGuarding({ role, proposal }: MetricRecord): boolean {
  return role === 'guard' && proposal.outcome === 'keep' && proposal.cause === 'guard';
}

type Winner = { readonly count: number; readonly winner: string | null };

function voteOf(context: MetricContext, deciding: readonly MetricRecord[]): Winner | 'failed' | null {
  const { policy, n } = context;
  if (policy.combine !== null) {
    const result = evaluateExpression(policy.combine.tree, proposalLookup(context, deciding));
    return result.ok ? { count: result.count, winner: null } : 'failed';
  }
  const valid = withoutIdleFloors(
    deciding.filter((metric) => metric.proposal.outcome !== 'invalid'),
    n,
  );
  const groups = groupsOf(policy, valid, n);
  const vote = groups.size === 0 ? null : chooseVote(Object.fromEntries(groups));
  if (vote === null) return null;
  const count = vote.direction === 'none' ? n : vote.count;
  const winner = valid.find((metric) => sizeOf(metric.proposal, n) === count);
  return { count, winner: winner?.name ?? null };
}

/** A floor counts only where somebody else has a say. */
function withoutIdleFloors(metrics: readonly MetricRecord[], n: number): readonly MetricRecord[] {
  const isFloor = ({ proposal }: MetricRecord) => proposal.outcome === 'value' && proposal.floor === true;
  const hasSay = metrics.some((metric) => !isFloor(metric) && sizeOf(metric.proposal, n) !== null);
  return hasSay ? metrics : metrics.filter((metric) => !isFloor(metric));
}

function groupsOf(policy: Policy, metrics: readonly MetricRecord[], n: number): Map<string, (Vote | null)[]> {
  const groups = new Map<string, (Vote | null)[]>();
  const groupOf = new Map(policy.metrics.map((metric) => [metric.name, metric.group]));
  for (const { name, proposal } of metrics) {
    const group = groupOf.get(name) ?? '';
    const votes = groups.get(group) ?? [];
    const size = sizeOf(proposal, n);
    votes.push(size === null ? null : { direction: directionOf(n, size), count: size });
    groups.set(group, votes);
  }
  return groups;
}

function sizeOf(proposal: Proposal, n: number): number | null {
  if (proposal.outcome === 'value') return proposal.count;
  return proposal.outcome === 'keep' ? n : null;
}
