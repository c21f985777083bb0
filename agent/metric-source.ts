// Where the app's own numbers come from. `BERTH_APP_METRICS` is a list of NAME=SOURCE[#SELECTOR]:
//
//   queue=/metrics#jobs_waiting{queue="mail"}     a path of the app, a Prometheus name (samples that match add up)
//   users=/stats.json#sessions.active             a path of the app, a dotted path into its JSON
//   load=http://127.0.0.1:9000/load               an address; without a selector the body is the number
//   jobs=file:/tmp/jobs                           a file
//
// Names that start with `container.` are taken: the agent reports the container's own CPU and memory under them.
// Whether a selector is a path into JSON or a Prometheus name is told by the body: JSON starts with `{` or `[`.

export type MetricPlace =
  | { kind: 'path'; path: string }
  | { kind: 'url'; url: string }
  | { kind: 'file'; path: string };

export interface MetricSource {
  name: string;
  place: MetricPlace;
  selector: string | undefined;
}

function parsePlace(text: string): MetricPlace | undefined {
  if (/^\/[\x21-\x7e]*$/.test(text)) return { kind: 'path', path: text };
  if (text.startsWith('file:/')) return { kind: 'file', path: text.slice('file:'.length) };
  return /^http:\/\/[\x21-\x7e]+$/.test(text) && URL.canParse(text) ? { kind: 'url', url: text } : undefined;
}

/** Splits at commas that are not between braces or quotes, where labels have their own. */
function splitEntries(text: string): string[] {
  const entries = [''];
  let depth = 0;
  let quoted = false;
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === '{') depth += 1;
    else if (!quoted && letter === '}') depth -= 1;
    if (letter === ',' && depth === 0 && !quoted) entries.push('');
    else entries[entries.length - 1] += letter;
  }
  return entries;
}

/** The sources, or undefined when `text` is not a list of them or names one twice. */
export function parseMetricSources(text: string): MetricSource[] | undefined {
  const sources: MetricSource[] = [];
  for (const entry of splitEntries(text)) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_.:-]{0,99})=([^#]+?)(?:#(.+?))?\s*$/.exec(entry);
    const place = match?.[2] === undefined ? undefined : parsePlace(match[2]);
    if (match?.[1] === undefined || place === undefined || match[1].startsWith('container.'))
      return undefined;
    sources.push({ name: match[1], place, selector: match[3] });
  }
  return new Set(sources.map((source) => source.name)).size === sources.length ? sources : undefined;
}
