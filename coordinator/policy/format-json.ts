// JSON as the project's formatter writes it: lists of plain values on one line where they fit.

const widest = 110;

export function formatJson(value: unknown, indent = '', taken = 0): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const entries = value.map((entry: unknown) => formatJson(entry, inner, inner.length));
    const isFlat = value.every((entry) => typeof entry !== 'object' || entry === null);
    const line = `[${entries.join(', ')}]`;
    if (entries.length === 0 || (isFlat && taken + line.length < widest)) return line;
    return `[\n${entries.map((entry) => inner + entry).join(',\n')}\n${indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => {
      const start = `${inner}${JSON.stringify(key)}: `;
      return start + formatJson(entry, inner, start.length);
    });
    return entries.length === 0 ? '{}' : `{\n${entries.join(',\n')}\n${indent}}`;
  }
  return JSON.stringify(value);
}
