// Durations as people write them in variables and policies: `250ms`, `5s`, `2m`, `1h`, `7d`; a bare number is seconds.

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or undefined when `text` is not a duration. Fractions are allowed (`1.5s`). */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return undefined;
  const factor = units[match[2] ?? 's'];
  return factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}

/** The shortest exact spelling: 1500 is `1.5s`, 90000 is `90s`, 250 is `250ms`. */
export function formatDuration(ms: number): string {
  return ms !== 0 && Math.abs(ms) < 1000 ? `${Math.round(ms)}ms` : `${Number((ms / 1000).toFixed(3))}s`;
}
