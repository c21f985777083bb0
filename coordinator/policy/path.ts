// Paths into a policy, such as `metrics[0].target.type`.

export type Path = readonly PropertyKey[];

export function formatPath(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

/** The value at `path`, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((here, key) => (isIndexable(here) ? Reflect.get(here, key) : undefined), value);
}

function isIndexable(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
