// How many of the instances that are missing can be made, and what is said of the others. Pure.
import type { InstanceStep } from './instance-step.ts';

export interface Creatable {
  atMost: number;
  why: string;
  /** What is missing is room on the hosts. */
  noRoom?: boolean;
}

/** What can be made is made, and of the rest it is said why not. */
export function planCreations(
  count: number,
  { atMost, why, noRoom = false }: Creatable,
  what: { spare: boolean; reason: string },
): InstanceStep[] {
  const made = Math.max(0, Math.min(count, atMost));
  const steps = Array.from({ length: made }, (): InstanceStep => ({ kind: 'create', ...what }));
  if (made === count) return steps;
  const wish = what.spare ? 'more to be kept warm' : 'more wanted';
  const reason = `${count - made} ${wish}, but ${why}`;
  return [...steps, { kind: 'hold', reason, ...(noRoom ? { noRoom } : {}) }];
}
