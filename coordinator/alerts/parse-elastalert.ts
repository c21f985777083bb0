// A document of ElastAlert: what its HTTP alerter posts (the match with the rule's static payload), a row of its
// `elastalert` index (the match under `match_body`), or a hit of Elasticsearch around either. The match carries the
// fields of Metricbeat or Filebeat, the labels of the container that raised the alert among them.
//
// Without an action it is an alert by rule name, for instance of a rule that counts errors in a log: a policy gives the
// name a step. ElastAlert never says that an alert has ended; it lives as long as it is repeated.
import type { ParsedAlert } from './alert-signal.ts';
import { fieldsOf } from './document-fields.ts';
import { type FieldNames, fieldNames } from './field-names.ts';
import { FieldReader } from './field-reader.ts';
import { clockSkewMs, readSignal } from './read-signal.ts';

const places = ['', 'fields.', 'labels.', 'container.labels.', 'docker.container.labels.'];

const names: FieldNames = {
  ...fieldNames,
  // What Metricbeat calls a backend in its `haproxy.stat` metric set.
  backend: [...fieldNames.backend, ['haproxy.stat.proxy.name']],
};
const ruleName = [['rule_name'], ['rule.name'], ['alertname']];
const statusName = [...fieldNames.status, ['alert_status']];
const timeName = [['alert_time'], ['match_time'], ['@timestamp']];
/** What a rule of type `metric_aggregation` adds to its match: `metric_FIELD_avg`. */
const metricPrefix = 'metric_';

export function parseElastalert(document: unknown, nowWall: number): ParsedAlert {
  const flat = fieldsOf(document);
  if (!flat.ok) return { ok: false, problems: [flat.problem] };
  const reader = new FieldReader(flat.fields, places);
  const measured = reader.numberWith(metricPrefix) ?? reader.numberWith('num_hits');
  const status =
    reader.oneOf(statusName, ['firing', 'resolved'], () => 'it must be firing or resolved') ?? 'firing';
  return readSignal(reader, names, {
    dialect: 'elastalert',
    name: reader.words(ruleName),
    unnamed: { field: 'rule_name', value: 'missing', mend: 'send the rule name, an action, or both' },
    status,
    sentAt: reader.time(timeName, nowWall + clockSkewMs),
    metric: measured?.path.replace(metricPrefix, '').slice(0, 253),
    value: measured?.value,
  });
}
