// A list for people: the first of many names, and how many more there are.

const most = 10;

export function listSome(names: readonly string[]): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ');
}
