// A service's size as a picture: █ serves, ▒ is there and does not serve, ░ is wanted and not there, + is one too many.

const most = 12;

export interface Size {
  serving: number;
  current: number;
  /** null: nobody says how many. */
  wanted: number | null;
}

/** One character for each instance, as long as that fits; beyond that in proportion, and what there is at all is shown. */
export function sizeBar({ serving, current, wanted }: Size): string {
  const target = wanted ?? current;
  const parts: [string, number][] = [
    ['█', Math.min(serving, target)],
    ['▒', Math.max(0, Math.min(current, target) - serving)],
    ['░', Math.max(0, target - current)],
    ['+', Math.max(0, current - target)],
  ];
  const total = parts.reduce((sum, [, count]) => sum + count, 0);
  const scale = total <= most ? 1 : most / total;
  return parts
    .map(([sign, count]) => sign.repeat(count === 0 ? 0 : Math.max(1, Math.round(count * scale))))
    .join('');
}
