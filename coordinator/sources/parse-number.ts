// Numbers in text, as JSON, Prometheus, databases and people write them.

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** NaN and the infinities are numbers here; undefined is what is none. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (decimal.test(trimmed)) return Number(trimmed);
  if (/^nan$/i.test(trimmed)) return Number.NaN;
  if (!/^[+-]?inf(?:inity)?$/i.test(trimmed)) return undefined;
  return trimmed.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
