// Pages of lists that are in memory. The cursor is the key of the last item, so that a page is right although items
// came or went in between.

const collator = new Intl.Collator('en', { numeric: true });

/** Keys in the order that people expect: node2 before node10. */
export function compareKeys(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The items after `cursor`, at most `limit`, by key; `backwards`: from the last key on. */
export function pageItems<T>(
  items: readonly T[],
  key: (item: T) => string,
  cursor: string | undefined,
  limit: number,
  backwards = false,
): { items: T[]; next?: string } {
  const compare = (a: string, b: string) => (backwards ? compareKeys(b, a) : compareKeys(a, b));
  const sorted = items.map((item) => ({ item, key: key(item) })).sort((a, b) => compare(a.key, b.key));
  const start = cursor === undefined ? 0 : sorted.findIndex((entry) => compare(entry.key, cursor) > 0);
  const page = start < 0 ? [] : sorted.slice(start, start + limit);
  const last = page.at(-1);
  const more = last !== undefined && start + limit < sorted.length;
  return { items: page.map((entry) => entry.item), ...(more ? { next: last.key } : {}) };
}
