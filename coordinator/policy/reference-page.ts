// The reference page, from the JSON schema: one table for every object, one line for every field.
import { asSchema, asSchemas, branchesOf, type JsonSchema } from './json-schema.ts';

type Section = { readonly title: string; readonly schema: JsonSchema };

export function formatReferencePage(policy: JsonSchema): string {
  const sections = collect('policy', policy);
  return [
    '# Policies: reference',
    '',
    '<!-- Generated from coordinator/policy/policy-schema.ts by `node coordinator/policy/generate.ts`; do not edit. -->',
    '',
    "A policy says how one service is scaled. A file holds `policies:` with a list of them; field names are those of Kubernetes' HPA v2",
    'where it has one. Durations are seconds, or texts such as `250ms`, `5s`, `2m`, `1h`. An unknown field is an error.',
    '',
    ...sections.flatMap(formatSection),
  ].join('\n');
}

/** The object at `title`, and every object inside it. */
function collect(title: string, schema: JsonSchema): Section[] {
  const branches = branchesOf(schema).filter(
    (branch) => Object.keys(asSchema(branch['properties'])).length > 0,
  );
  return branches.flatMap((branch) => {
    const own = branches.length > 1 ? `${title} (${tagOf(branch)})` : title;
    const children = Object.entries(asSchema(branch['properties'])).flatMap(([key, property]) => {
      const inner = asSchema(property);
      const isList = inner['type'] === 'array';
      const path = title === 'policy' ? key : `${own}.${key}`;
      return collect(isList ? `${path}[]` : path, isList ? asSchema(inner['items']) : inner);
    });
    return [{ title: own, schema: branch }, ...children];
  });
}

/** What tells one alternative from the others. */
function tagOf(branch: JsonSchema): string {
  const constants = Object.entries(asSchema(branch['properties'])).flatMap(([key, property]) => {
    const constant = asSchema(property)['const'];
    return constant === undefined ? [] : [`${key}: ${String(constant)}`];
  });
  return constants.length === 0 ? 'object' : constants.join(', ');
}

function formatSection({ title, schema }: Section): string[] {
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const rows = Object.entries(asSchema(schema['properties'])).map(([key, property]) =>
    formatRow(key, asSchema(property), required.has(key)),
  );
  const description = textOf(schema['description']);
  return [
    `## ${title}`,
    '',
    ...(description === '' ? [] : [`${description}.`, '']),
    '| field | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ];
}

function formatRow(key: string, property: JsonSchema, isRequired: boolean): string {
  const fallback = property['default'];
  const standard = fallback === undefined || isEmptyObject(fallback) ? '' : `\`${JSON.stringify(fallback)}\``;
  const cells = [
    `\`${key}\``,
    typeOf(property),
    isRequired ? 'required' : standard,
    textOf(property['description']),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function typeOf(property: JsonSchema): string {
  const constant = property['const'];
  if (constant !== undefined) return `\`${JSON.stringify(constant)}\``;
  if (Array.isArray(property['enum']))
    return property['enum'].map((value) => `\`${String(value)}\``).join(', ');
  if (property['format'] === 'duration') return 'duration';
  const branches = [...asSchemas(property['anyOf']), ...asSchemas(property['oneOf'])];
  if (branches.length > 0) return [...new Set(branches.map(typeOf))].join(' or ');
  if (property['type'] === 'array') return `list of ${typeOf(asSchema(property['items']))}`;
  if (Array.isArray(property['type'])) return property['type'].join(' or ');
  return textOf(property['type']) || 'anything';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
