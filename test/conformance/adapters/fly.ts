// fly: expressions, and a pool of clones.
import { evaluateExpression } from '../../../coordinator/decide/evaluate-expression.ts';
import { parseExpression } from '../../../coordinator/decide/parse-expression.ts';
import { nextCandidate, type PoolMember, planPool } from '../../../coordinator/decide/pool.ts';
import type { Adapter, Answer } from '../adapter.ts';
import { numberOrNull, objectOrNull, objectsOf, textOf, textsOf } from '../fields.ts';

const expression: Adapter = (input) => {
  const parsed = parseExpression(textOf(input, 'expression'));
  if (!parsed.ok) return { error: 'syntax' };
  const variables = objectOrNull(input, 'variables') ?? {};
  const result = evaluateExpression(parsed.tree, (name) => numberOrNull(variables, name) ?? undefined);
  return result.ok ? { value: result.count } : { error: result.code };
};

const states: Readonly<Record<string, PoolMember['state']>> = {
  created: 'created',
  started: 'started',
  stopped: 'stopped',
};

const clonePool: Adapter = (input): Answer => {
  const members = objectsOf(input, 'machines').map(
    (machine): PoolMember => ({
      id: textOf(machine, 'id'),
      state: states[textOf(machine, 'state')] ?? 'destroying',
      reachable: machine['reachable'] === true,
    }),
  );
  const step = planPool(members, {
    minCreated: numberOrNull(input, 'minCreated'),
    maxCreated: numberOrNull(input, 'maxCreated'),
    minStarted: numberOrNull(input, 'minStarted'),
    maxStarted: numberOrNull(input, 'maxStarted'),
  });
  if (step.action === 'nothing-to-clone') return { error: 'nothing-to-clone' };
  if (step.action === 'none') return { action: 'none' };
  if (step.action === 'create') return { action: 'create', count: step.count, cloneFromId: step.cloneFrom };
  return {
    action: step.action,
    count: step.count,
    ...tryAll(step, textsOf(input, `${step.action}FailsForIds`)),
  };
};

/** Carries the step out, with the failures of the record. */
function tryAll(step: Parameters<typeof nextCandidate>[0], failing: readonly string[]): Answer {
  const attempted: string[] = [];
  const ids: string[] = [];
  for (;;) {
    const id = nextCandidate(step, {
      attempted,
      succeeded: ids.length,
      failed: attempted.length - ids.length,
    });
    if (id === undefined) break;
    attempted.push(id);
    if (!failing.includes(id)) ids.push(id);
  }
  return { ids, attempted: attempted.length, succeeded: ids.length, failed: attempted.length - ids.length };
}

export const fly: Readonly<Record<string, Adapter>> = { expression, clone_pool: clonePool };
