// One alert of Alertmanager's webhook (version 4): status, labels, annotations, startsAt, endsAt, fingerprint. What
// Berth should do is said by labels or annotations: `berth_action` or `berth_direction`, `berth_service` (or `service`),
// `berth_step`, `severity`. Without an action it is an alert by name.
import { type ParsedAlert, type Problem, shown } from './alert-signal.ts';
import { fieldsOf } from './document-fields.ts';
import { type FieldNames, fieldNames } from './field-names.ts';
import { FieldReader } from './field-reader.ts';
import { fingerprintOf } from './fingerprint.ts';
import { clockSkewMs, readSignal } from './read-signal.ts';

/** cAdvisor shows a container's labels under this prefix, and its name as `name`. */
const places = ['labels.', 'annotations.', 'labels.container_label_'];

const names: FieldNames = {
  ...fieldNames,
  direction: [...fieldNames.direction, ['direction']],
  step: [...fieldNames.step, ['step']],
  containerName: [...fieldNames.containerName, ['name']],
  // What HAProxy's own exporter calls a backend.
  backend: [...fieldNames.backend, ['proxy']],
};

/** The alerts of one webhook, each a document of its own; one more tells of those that Alertmanager left out. */
export function alertsOf(body: unknown): unknown[] {
  if (typeof body !== 'object' || body === null || !('alerts' in body) || !Array.isArray(body.alerts))
    return [body];
  const left =
    'truncatedAlerts' in body && Number(body.truncatedAlerts) > 0 ? body.truncatedAlerts : undefined;
  const alerts: unknown[] = body.alerts;
  return left === undefined ? alerts : [...alerts, { truncatedAlerts: left }];
}

export function parseAlertmanager(document: unknown, nowWall: number): ParsedAlert {
  const flat = fieldsOf(document);
  if (!flat.ok) return { ok: false, problems: [flat.problem] };
  const truncated = flat.fields.get('truncatedAlerts');
  if (truncated !== undefined) return { ok: false, problems: [truncatedProblem(truncated)] };
  const envelope = new FieldReader(flat.fields, ['']);
  const reader = new FieldReader(flat.fields, places);
  const name = reader.words([['alertname']]);
  const status = envelope.oneOf([['status']], ['firing', 'resolved'], () => 'it must be firing or resolved');
  const startsAt = envelope.time([['startsAt']], nowWall + clockSkewMs);
  if (envelope.problems.length === 0 && status === undefined)
    envelope.miss('status', 'it must be firing or resolved');
  const parsed = readSignal(reader, names, {
    dialect: 'alertmanager',
    name,
    unnamed: { field: 'labels.alertname', value: 'missing', mend: 'each alert of Prometheus has this label' },
    status: status ?? 'firing',
    startsAt,
    fingerprint:
      envelope.text([['fingerprint']], /^\w{1,128}$/, 'letters and digits') ??
      fingerprintOf(...labels(document)),
  });
  if (envelope.problems.length === 0) return parsed;
  const problems = [...envelope.problems, ...(parsed.ok ? [] : parsed.problems)];
  return { ok: false, problems, name, service: parsed.ok ? parsed.signal.service : parsed.service };
}

function truncatedProblem(count: unknown): Problem {
  const mend = 'so many alerts of the group were left out; set `max_alerts: 0` in its webhook_config';
  return { field: 'truncatedAlerts', value: shown(count), mend };
}

function labels(document: unknown): string[] {
  if (typeof document !== 'object' || document === null || !('labels' in document)) return [];
  const { labels: own } = document;
  return Object.entries(own ?? {})
    .map(([label, value]) => `${label}=${shown(value)}`)
    .sort();
}
