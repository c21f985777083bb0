// A number in any JSON document over HTTP.
import type { SourceOf } from '../policy/source-schema.ts';
import { valueAt } from './json-path.ts';
import { readingNumber } from './reading-number.ts';
import type { Source, SourceParts } from './source.ts';

export function httpSource(config: SourceOf<'http'>, { http }: Pick<SourceParts, 'http'>): Source {
  const { url, method, headers, body, auth, tls, value: path } = config;
  const where = path === '' ? 'the answer' : path;
  return {
    read: async ({ signal }) => {
      const answer = await http.json({ url, method, headers, body, auth, tls }, signal);
      return { ok: true, shape: 'total', value: readingNumber(valueAt(answer, path), where), ageMs: 0 };
    },
  };
}
