// What an alert asks for, and whether it says for whom.

import { suggest } from '../../shared/suggest.ts';
import { type Action, type Ask, actionNames, actions, type Direction, type Target } from './actions.ts';
import type { FieldNames } from './field-names.ts';
import type { FieldReader } from './field-reader.ts';
import type { TargetFields } from './read-target.ts';

/** Undefined when the document is wrong; the reader then has a problem more. */
export function readAsk(
  reader: FieldReader,
  names: FieldNames,
  target: TargetFields,
): { ask: Ask; action?: Action } | undefined {
  const action = reader.oneOf(names.action, actionNames, (given) => mend(given, actionNames));
  const direction = reader.oneOf(names.direction, ['up', 'down'], (given) => mend(given, ['up', 'down']));
  if (reader.problems.length > 0) return undefined;
  if (action === undefined) {
    const ask: Ask = direction === undefined ? { kind: 'named' } : { kind: 'scale', direction };
    if (ask.kind === 'scale') checkTarget(reader, `direction ${direction}`, 'any', target);
    return { ask };
  }
  const { ask, target: wanted } = actions[action];
  checkTarget(reader, action, wanted, target);
  checkDirection(reader, ask, direction);
  return { ask, action };
}

function checkTarget(reader: FieldReader, asked: string, wanted: Target, target: TargetFields): void {
  const backend = target.haproxy?.backend;
  const { service, container } = target;
  switch (wanted) {
    case 'container':
      if (container === undefined)
        reader.miss('container_name', `${asked} must say which container raised it`);
      return;
    case 'service':
      if (service === undefined) reader.miss('container_service_name', `${asked} must say which service`);
      return;
    case 'backend':
      if (backend === undefined && service === undefined)
        reader.miss('container_haproxy_backend', `${asked} must name a HAProxy backend or a service`);
      return;
    case 'any':
      if (service === undefined && container === undefined && backend === undefined)
        reader.miss('service', `${asked} must name a service, a container or a HAProxy backend`);
  }
}

function checkDirection(reader: FieldReader, ask: Ask, direction: Direction | undefined): void {
  if (direction === undefined || ('direction' in ask && ask.direction === direction)) return;
  reader.refuse('direction', direction, 'it contradicts the action; send one of the two');
}

function mend(given: string, options: readonly string[]): string {
  const near = suggest(given, options);
  return `it must be one of ${options.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`;
}
