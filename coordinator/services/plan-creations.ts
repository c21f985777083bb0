// How many of the instances that are missing can be made, and what is said of the others. Pure.
import type { InstanceStep } from './instance-step.ts';

export interface Creatable {
  atMost: number;
  why: string;
  /** What is missing is room on the hosts. */
  noRoom?: boolean;
}

export type Create = Extract<InstanceStep, { kind: 'create' }>;

/** What can be made is made, and of the rest it is said why not; `what` they are, in words. */
export function planCreations(
  creations: readonly Create[],
  creatable: () => Creatable,
  what: string,
): InstanceStep[] {
  if (creations.length === 0) return [];
  const { atMost, why, noRoom = false } = creatable();
  const made = creations.slice(0, Math.max(0, atMost));
  if (made.length === creations.length) return made;
  const reason = `${creations.length - made.length} ${what}, but ${why}`;
  return [...made, { kind: 'hold', reason, ...(noRoom ? { noRoom } : {}) }];
}
