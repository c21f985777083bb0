// What can be done to the instances of a service, as data: planned by plan-instances.ts, carried out by
// apply-instances.ts, and the same list in the log, the audit and a dry run.

interface StepBase {
  reason: string;
}

interface OnInstance extends StepBase {
  id: string;
  name: string;
}

export type InstanceStep =
  /** Back into traffic. */
  | (OnInstance & { kind: 'undrain' })
  /** A parked instance: unpause it and put it into traffic. */
  | (OnInstance & { kind: 'unpark' })
  | (OnInstance & { kind: 'start' })
  /** A new instance from the stored spec; a spare one comes up out of traffic. */
  | (StepBase & { kind: 'create'; spare: boolean })
  /** Out of traffic. */
  | (OnInstance & { kind: 'drain' })
  /** A drained spare: pause it, to be used again in milliseconds. */
  | (OnInstance & { kind: 'park' })
  /** Stop with the container's own grace time; `remove` also deletes it, its volumes stay. */
  | (OnInstance & { kind: 'stop'; remove: boolean })
  /** Delete one that has stopped. */
  | (OnInstance & { kind: 'remove' })
  /** What should be done and is not, and why. */
  | (StepBase & { kind: 'hold'; noRoom?: true });

export type InstanceStepKind = InstanceStep['kind'];
