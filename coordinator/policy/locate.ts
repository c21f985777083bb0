// Lines and columns in a YAML or JSON text.
import { type Document, isMap, isNode, isScalar, type LineCounter, type Node } from 'yaml';
import type { Path } from './path.ts';

/** From 1; null when the policy does not come from a text. */
export type Position = { readonly line: number | null; readonly column: number | null };

export const nowhere: Position = { line: null, column: null };

/** The place of the value at `path` (or of its key, or `offset` characters into it), or of the nearest thing around it that exists. */
export function locate(
  document: Document,
  counter: LineCounter,
  path: Path,
  offset: number | 'key',
): Position {
  for (let length = path.length; length >= 0; length -= 1) {
    const isExact = length === path.length;
    const node =
      isExact && offset === 'key' ? keyNode(document, path) : document.getIn(path.slice(0, length), true);
    const start = isNode(node) ? startOf(node) : undefined;
    if (start === undefined) continue;
    const inside =
      isExact && isNode(node) && typeof offset === 'number' && offset > 0 ? offset + quoteOf(node) : 0;
    const { line, col } = counter.linePos(start + inside);
    return { line, column: col };
  }
  return { line: 1, column: 1 };
}

function keyNode(document: Document, path: Path): unknown {
  const parent = document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  return parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))?.key;
}

function startOf(node: Node): number | undefined {
  return node.range?.[0];
}

function quoteOf(node: Node): number {
  return isScalar(node) && (node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE') ? 1 : 0;
}
