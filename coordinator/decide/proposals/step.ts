// Fixed steps: strictly above one threshold a step up, strictly below the other a step down. A step that would leave the bounds is
// shortened, or dropped altogether where the caller asks for that.
import { clamp, saturate } from '../saturate.ts';

export type Bounds = { readonly min: number; readonly max: number };

export function stepWithin(n: number, step: number, bounds: Bounds, overflow: 'shorten' | 'drop'): number {
  const wanted = saturate(n + step);
  const inside = clamp(wanted, bounds.min, bounds.max);
  return inside === wanted || overflow === 'shorten' ? inside : n;
}

export function stepFor(value: number, rule: { above: number; below: number; step: number }): number {
  if (value > rule.above) return rule.step;
  return value < rule.below ? -rule.step : 0;
}
