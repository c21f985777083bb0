// The table of docs/simulation.md: a policy of Berth with its defaults beside the plain HPA, on every load.
//
//   node coordinator/simulate/compare.ts [sessions | requestRate]
import { admitPolicy } from '../policy/admit.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';
import { type Compared, compare, loadSpan, presetRival } from './comparison.ts';
import { formatMarkdown } from './format-summary.ts';
import { chooseModel } from './service-model.ts';
import { madeTrace, type TraceName, traceNames } from './trace.ts';

export type Measure = 'sessions' | 'requestRate';

/** For each instance, at its target: 100 requests a second of 100 ms, which are 10 sessions; it can do a quarter more. */
const averageValues: Readonly<Record<Measure, number>> = { sessions: 10, requestRate: 100 };

/** Berth's defaults in everything but the metric. */
function policyUnderTest(what: Measure): AdmittedPolicy {
  const written = {
    name: 'web',
    minReplicas: 2,
    maxReplicas: 20,
    metrics: [
      {
        source: { type: 'haproxy', what },
        target: { type: 'AverageValue', averageValue: averageValues[what] },
      },
    ],
  };
  const [admitted] = admitPolicy(written, 'compare.ts').admitted;
  if (admitted === undefined) throw new Error('the policy under test is not admitted');
  return admitted;
}

export function compareOnTraces(
  what: Measure,
  names: readonly TraceName[] = traceNames,
): { trace: string; compared: Compared[] }[] {
  const admitted = policyUnderTest(what);
  const model = chooseModel(admitted);
  const span = loadSpan(admitted, model);
  const rivals = [
    { title: 'Berth, 1 s', admitted, options: {} },
    presetRival('hpa', admitted, model),
    presetRival('hpa-cpu', admitted, model),
  ];
  return names.map((name) => ({
    trace: name,
    compared: compare(rivals, madeTrace(name, span), model, {}),
  }));
}

if (import.meta.main) {
  const what = process.argv[2] === 'requestRate' ? 'requestRate' : 'sessions';
  process.stdout.write(formatMarkdown(compareOnTraces(what)));
}
