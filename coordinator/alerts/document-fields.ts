// A document as a flat map of dotted paths, so that `{"docker":{"container":{"name":"x"}}}`, `{"docker.container.name":"x"}`
// and any mixture are the same. The envelopes of Elasticsearch (`_source`) and of ElastAlert's own index (`match_body`)
// are taken off; what stands outside of them wins. A list of one is its element (the `fields` of a search answer).
import { type Problem, shown } from './alert-signal.ts';

export type Scalar = string | number | boolean;
export const severalValues = Symbol('several values');
export type Fields = ReadonlyMap<string, Scalar | typeof severalValues>;

const maxDepth = 16;
const maxFields = 5000;
const envelopes = ['_source.', 'match_body.'];

/** The fields, or what keeps the document from having any. Never throws. */
export function fieldsOf(document: unknown): { ok: true; fields: Fields } | { ok: false; problem: Problem } {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return refuse(document, 'send a JSON object');
  }
  const found = new Map<string, { value: Scalar | typeof severalValues; depth: number }>();
  const waiting: { value: unknown; path: string; depth: number }[] = [
    { value: document, path: '', depth: 0 },
  ];
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    const value = single(item.value);
    if (isScalar(value) || value === severalValues) {
      const { path, depth } = withoutEnvelopes(item.path);
      const known = found.get(path);
      if (known === undefined || depth < known.depth) found.set(path, { value, depth });
    } else if (typeof value === 'object' && value !== null) {
      if (item.depth === maxDepth) return refuse(document, `nest it less than ${maxDepth} levels deep`);
      const prefix = item.path === '' ? '' : `${item.path}.`;
      for (const [key, inner] of Object.entries(value)) {
        waiting.push({ value: inner, path: prefix + key, depth: item.depth + 1 });
      }
    }
    if (found.size + waiting.length > maxFields) return refuse(document, `send at most ${maxFields} fields`);
  }
  return { ok: true, fields: new Map([...found].map(([path, { value }]) => [path, value])) };
}

function refuse(document: unknown, mend: string): { ok: false; problem: Problem } {
  return { ok: false, problem: { field: 'the document', value: kindOf(document), mend } };
}

function single(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.length > 1 || Array.isArray(value[0]) ? severalValues : value[0];
}

function kindOf(document: unknown): string {
  return typeof document === 'object' && document !== null && !Array.isArray(document)
    ? 'too large'
    : shown(document);
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function withoutEnvelopes(path: string): { path: string; depth: number } {
  for (let rest = path, depth = 0; ; depth += 1) {
    const envelope = envelopes.find((name) => rest.startsWith(name));
    if (envelope === undefined) return { path: rest, depth };
    rest = rest.slice(envelope.length);
  }
}
