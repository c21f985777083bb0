// What can be done to the instances of a service, as data: planned by plan-instances.ts, carried out by
// apply-instances.ts, and the same list in the log, the audit and a dry run.

interface StepBase {
  reason: string;
  /** The alert that asked for it, where one did. */
  alert?: string | undefined;
}

interface OnInstance extends StepBase {
  id: string;
  name: string;
}

/** The very container to clone, and the firing of the alert that asked for it. */
export interface StepModel {
  id: string;
  name: string;
  host: string;
  firing: string;
}

export type InstanceStep =
  /** Back into traffic. */
  | (OnInstance & { kind: 'undrain' })
  /** A parked instance: unpause it and put it into traffic. */
  | (OnInstance & { kind: 'unpark' })
  | (OnInstance & { kind: 'start' })
  /**
   * A new instance, from the spec of `model` as it is then, else from the stored spec. A spare one comes up out of traffic.
   * `original`: the container that the spec was read from was deleted, and it is this very one that is made again.
   */
  | (StepBase & {
      kind: 'create';
      spare: boolean;
      original?: true;
      model?: StepModel | undefined;
      naming?: string | undefined;
    })
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
