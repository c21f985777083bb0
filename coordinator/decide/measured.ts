// What was measured where a metric decided, for the audit. Pure; from the record alone.
import type { DecisionRecord } from './record.ts';

export type Measurement = { readonly metric: string; readonly value: number | undefined };

/**
 * Undefined when no single metric did, and for alerts, whose own documents say what was measured. The value is what was
 * compared (an average, a total, a percentage); undefined when there is no such number.
 */
export function measuredBy({ combined, metrics, inputs }: DecisionRecord): Measurement | undefined {
  const winner = metrics.find(({ name }) => name === combined?.winner);
  if (winner === undefined) return undefined;
  const { name, proposal } = winner;
  if (inputs.policy.metrics.find((metric) => metric.name === name)?.target.kind === 'alert') return undefined;
  const measured = proposal.outcome === 'invalid' ? null : proposal.measured;
  return { metric: name, value: measured?.value ?? undefined };
}
