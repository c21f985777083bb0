// What the dialects have in common: from fields to a signal.
import { dockerNamePattern } from '../../shared/labels.ts';
import type { AlertSignal, Dialect, ParsedAlert, Problem } from './alert-signal.ts';
import { defined } from './defined.ts';
import type { FieldNames } from './field-names.ts';
import type { FieldReader } from './field-reader.ts';
import { fingerprintOf } from './fingerprint.ts';
import { readAsk } from './read-ask.ts';
import { readTarget } from './read-target.ts';

const second = 1000;
const week = 7 * 24 * 3_600_000;
const mostInstances = 100_000;
/** Clocks of two machines may differ by this much. */
export const clockSkewMs = 10 * 60_000;

/** What a dialect reads in its own way. */
export interface DialectFields {
  dialect: Dialect;
  /** Name of the rule; without one the alert is called after what it asks for. */
  name: string | undefined;
  /** What is missing when it has no name and asks for nothing. */
  unnamed: Problem;
  status: 'firing' | 'resolved';
  /** As the sender gave it; without one it is made of what the alert is about. */
  fingerprint?: string | undefined;
  startsAt?: number | undefined;
  sentAt?: number | undefined;
  metric?: string | undefined;
  value?: number | undefined;
}

export function readSignal(reader: FieldReader, names: FieldNames, own: DialectFields): ParsedAlert {
  const target = readTarget(reader, names);
  const severity = reader.words(names.severity)?.toLowerCase();
  const step = reader.wholeNumber(names.step, 1, 1000);
  const min = reader.wholeNumber(names.min, 0, mostInstances);
  const max = reader.wholeNumber(names.max, 0, mostInstances);
  if (min !== undefined && max !== undefined && min > max) {
    reader.refuse('autoscale_min_instances', min, `it is above autoscale_max_instances, ${max}`);
  }
  const policy = reader.words(names.policy);
  const naming = reader.text(names.naming, dockerNamePattern, 'what the names of containers can begin with');
  const expiresInMs = reader.duration(names.expiresIn, second, week);
  const asked = readAsk(reader, names, target);
  const { dialect, status, startsAt, sentAt, metric, value } = own;
  const direction = asked !== undefined && 'direction' in asked.ask ? asked.ask.direction : undefined;
  const name = own.name ?? asked?.action ?? direction;
  if (asked !== undefined && name === undefined) reader.problems.push(own.unnamed);
  if (asked === undefined || name === undefined || reader.problems.length > 0) {
    const { problems } = reader;
    return { ok: false, problems, name, service: target.service };
  }
  const signal: AlertSignal = {
    dialect,
    fingerprint: `${dialect}:${own.fingerprint ?? fingerprintOfAlert(name, asked, target)}`,
    name,
    status,
    ...asked,
    ...target,
    ...defined({ startsAt, sentAt, expiresInMs, severity, step, min, max, policy, naming, metric, value }),
  };
  return { ok: true, signal };
}

/** Without the container where the alert is about a service: the same rule hits many containers of one service. */
function fingerprintOfAlert(
  name: string,
  { ask, action }: { ask: AlertSignal['ask']; action?: string },
  { service, container, haproxy }: Pick<AlertSignal, 'service' | 'container' | 'haproxy'>,
): string {
  const direction = 'direction' in ask ? ask.direction : undefined;
  const aboutContainer = ask.kind === 'node' || ask.kind === 'availability' || service === undefined;
  const who = aboutContainer ? (container?.id ?? container?.name) : undefined;
  return fingerprintOf(name, action, direction, service, haproxy?.backend, who);
}
