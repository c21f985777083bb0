// The configuration file: YAML, read into texts with their places, so that every complaint says file:line:column.
// Scalars become the text that was written (`200ms`, `9999`, `true`), a list of scalars the texts joined by commas, as
// one would write them in the environment; both then go through the same types.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { suggest } from '../../shared/suggest.ts';

export interface FileValue {
  text: string;
  /** `berth.yaml:3:9`. */
  place: string;
}

export interface ConfigFile {
  /** By dotted key. */
  values: Map<string, FileValue>;
  problems: string[];
}

/** Parses the text of the file at `path`. `known` are the dotted keys that there are; those in `structured` may hold lists
 * of objects, and become JSON. */
export function parseConfigFile(
  path: string,
  text: string,
  known: readonly string[],
  structured: readonly string[] = [],
): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const values = new Map<string, FileValue>();
  const problems: string[] = [];
  const placeOf = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${path}:${line}:${col}`;
  };
  for (const error of document.errors) problems.push(`${placeOf(error.pos[0])}: ${error.message}`);
  if (problems.length > 0) return { values, problems };

  const complain = (node: Node | null | undefined, what: string) => {
    problems.push(`${placeOf(node?.range?.[0])}: ${what}`);
  };
  const walk = (node: Node | null, prefix: string): void => {
    if (!isMap<Node, Node>(node)) {
      complain(node, `${prefix === '' ? 'the file' : prefix} must hold keys and values`);
      return;
    }
    for (const { key: keyNode, value } of node.items) {
      const name = isScalar(keyNode) ? String(keyNode.value) : '?';
      const key = prefix === '' ? name : `${prefix}.${name}`;
      if (known.includes(key)) readValue(key, value);
      else if (known.some((other) => other.startsWith(`${key}.`))) walk(value, key);
      else complain(keyNode, unknownKey(key, known));
    }
  };
  const readValue = (key: string, value: Node | null): void => {
    const node = isAlias(value) ? value.resolve(document) : value;
    const isWhole = structured.includes(key) && node !== undefined && node !== null && !isScalar(node);
    const text = isWhole ? JSON.stringify(node.toJS(document)) : plainText(node);
    if (text === undefined) complain(value, `${key} must be a value or a list of values`);
    else if (text !== '') values.set(key, { text, place: placeOf(value?.range?.[0]) });
  };
  if (document.contents !== null) walk(document.contents, '');
  return { values, problems };
}

function plainText(node: Node | null | undefined): string | undefined {
  if (node === undefined) return undefined;
  return isSeq<Node>(node) ? listText(node.items) : scalarText(node);
}

function listText(items: readonly Node[]): string | undefined {
  const texts = items.map(scalarText);
  return texts.every((text) => text !== undefined) ? texts.join(',') : undefined;
}

/** The text as it was written; empty for `null` and for nothing. */
function scalarText(node: Node | null): string | undefined {
  if (node === null) return '';
  if (!isScalar(node)) return undefined;
  if (node.value === null) return '';
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function unknownKey(key: string, known: readonly string[]): string {
  const groups = known.flatMap((other) =>
    other.split('.').map((_, index, parts) => parts.slice(0, index + 1).join('.')),
  );
  const byName = known.find((other) => other.split('.').at(-1) === key.split('.').at(-1));
  const meant = suggest(key, [...new Set(groups)]) ?? byName;
  return `there is no option ${key}${meant === undefined ? '' : `: did you mean ${meant}?`}`;
}
