// Cuts an haproxy.cfg into sections, lines and words, as far as the doctor looks into one. Pure.

export interface Line {
  number: number;
  words: string[];
}

export interface Section {
  kind: string;
  name: string;
  line: number;
  lines: Line[];
}

const sectionKinds = new Set([
  'global',
  'defaults',
  'frontend',
  'backend',
  'listen',
  'peers',
  'resolvers',
  'userlist',
  'cache',
  'program',
  'http-errors',
  'ring',
  'mailers',
]);

export function parseSections(text: string): Section[] {
  const sections: Section[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const words = splitWords(raw);
    const [kind] = words;
    if (kind === undefined) continue;
    if (sectionKinds.has(kind)) sections.push({ kind, name: words[1] ?? '', line: index + 1, lines: [] });
    else sections.at(-1)?.lines.push({ number: index + 1, words });
  }
  return sections;
}

/** Words with quotes and comments as HAProxy has them; escapes are not looked into. */
function splitWords(line: string): string[] {
  const words = line.match(/#.*|(?:"[^"]*"|'[^']*'|[^\s"'#])+/g) ?? [];
  return words.filter((word) => !word.startsWith('#')).map((word) => word.replaceAll(/["']/g, ''));
}

/** The words of `default-server` that hold for a section: its own, and those of the defaults before it. */
export function inherited(section: Section, sections: readonly Section[]): string[] {
  const defaults = sections.slice(0, sections.indexOf(section)).findLast(({ kind }) => kind === 'defaults');
  return [...(defaults?.lines ?? []), ...section.lines]
    .filter(({ words }) => words[0] === 'default-server')
    .flatMap(({ words }) => words.slice(1));
}

/** The algorithm of a backend's own `balance`, without its arguments, and the line that says so. */
export function algorithmOf(section: Section): { algorithm: string; line: number } {
  const balance = section.lines.find(({ words }) => words[0] === 'balance');
  const algorithm = (balance?.words[1] ?? 'roundrobin').replace(/\(.*/, '');
  return { algorithm, line: balance?.number ?? section.line };
}
