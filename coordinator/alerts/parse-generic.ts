// Berth's own form, for scripts and for whatever can send JSON:
//
//   {"service": "web", "direction": "up"}                       or "action": one of the nine; or "rule": a name that a
//   {"service": "web", "action": "scale_down", "step": 2}       policy knows, with or without a service
//   further: severity, status (firing, resolved), fingerprint, startsAt, expiresIn ("10m"), min, max, policy,
//   container (name, or {"id": …, "name": …, "host": …}), backend, details (anything; kept, not read)
//
// It is our form, so a key that it does not have is a mistake and is answered with what was meant.
import { suggest } from '../../shared/suggest.ts';
import type { ParsedAlert } from './alert-signal.ts';
import { fieldsOf } from './document-fields.ts';
import { type FieldNames, fieldNames } from './field-names.ts';
import { FieldReader } from './field-reader.ts';
import { clockSkewMs, readSignal } from './read-signal.ts';

const names: FieldNames = {
  ...fieldNames,
  direction: [['direction']],
  step: [['step']],
  min: [['min'], ...fieldNames.min],
  max: [['max'], ...fieldNames.max],
  policy: [['policy'], ...fieldNames.policy],
  naming: [['naming'], ...fieldNames.naming],
  expiresIn: [['expiresIn', 'expires_in']],
  dockerHost: [['container.host']],
};
const own = {
  rule: [['rule', 'rule_name']],
  status: [['status']],
  fingerprint: [['fingerprint']],
  startsAt: [['startsAt']],
};
const paths = [...Object.values(names), ...Object.values(own), [['details']]].flat(2);
/** The keys that may stand at the top, and those of them that may hold an object. */
const known = new Set(paths.map((path) => path.split('.')[0] ?? path));
const objects = new Set([
  ...paths.filter((path) => path.includes('.')).map((path) => path.split('.')[0]),
  'details',
]);

export function parseGeneric(document: unknown, nowWall: number): ParsedAlert {
  const flat = fieldsOf(document);
  if (!flat.ok) return { ok: false, problems: [flat.problem] };
  const reader = new FieldReader(flat.fields, ['']);
  refuseUnknown(reader, document);
  const status =
    reader.oneOf(own.status, ['firing', 'resolved'], () => 'it must be firing or resolved') ?? 'firing';
  return readSignal(reader, names, {
    dialect: 'generic',
    name: reader.words(own.rule),
    unnamed: {
      field: 'direction',
      value: 'missing',
      mend: 'it must be up or down; or send an action, or a rule',
    },
    status,
    startsAt: reader.time(own.startsAt, nowWall + clockSkewMs),
    fingerprint: reader.text(
      own.fingerprint,
      /^[\x21-\x7e]{1,200}$/,
      'printable characters without spaces, at most 200',
    ),
  });
}

function refuseUnknown(reader: FieldReader, document: unknown): void {
  for (const [key, value] of Object.entries(document ?? {})) {
    const first = key.split('.')[0] ?? key;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (known.has(first) && isObject && !objects.has(first)) reader.refuse(key, value, 'send one value');
    if (known.has(first)) continue;
    const near = suggest(first, [...known]);
    reader.refuse(
      key === '' ? '(an empty key)' : key.slice(0, 80),
      value,
      near === undefined ? 'it is not known; put it under details' : `did you mean ${near}?`,
    );
  }
}
