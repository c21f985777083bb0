// What one evaluation is told about the world. Everything here is plain JSON, so that a record can hold it and be replayed.
// Ages are milliseconds before `now` on a monotonic clock (AUTOSCALING.md, 40). A read is a value or an error, never a sentinel.
import type { Alert } from './alerts.ts';
import type { Pause } from './policy.ts';

/** Why a read gave no usable number. `empty` and `nan` can be turned into 0 by the policy (`whenEmpty`, `onNaN`). */
export type ReadingErrorCode =
  | 'empty'
  | 'nan'
  | 'timeout'
  | 'unreachable'
  | 'unauthorized'
  | 'refused'
  | 'bad-answer'
  | 'too-few-requests'
  | 'missing-request'
  | 'stale'
  | 'unknown';

/** One instance's own value. CPU is in thousandths of a core, memory in bytes, anything else as it is. */
export type InstanceSample = {
  readonly value: number;
  /** What 100 % means, for utilization, in the unit of `value`; absent when the instance has no limit or reservation. */
  readonly request?: number;
  /** Age of the end of the interval over which the sample was averaged. */
  readonly ageMs: number;
  /** Length of that interval (0: a momentary value). */
  readonly windowMs: number;
};

/** One number for the whole service. */
export type TotalReading = {
  readonly ok: true;
  readonly shape: 'total';
  readonly value: number;
  readonly ageMs: number;
  /** Present when part of it is missing (one proxy of two did not answer): it may raise the count, never lower it. */
  readonly partial?: string;
  /** Queues: messages in and messages acknowledged, per second, when the source knows them (for `DrainTime`). */
  readonly arrivalsPerSecond?: number;
  readonly acknowledgedPerSecond?: number;
};

/** A number for each instance, by instance id. Samples of unknown instances are ignored. */
export type PerInstanceReading = {
  readonly ok: true;
  readonly shape: 'perInstance';
  readonly samples: Readonly<Record<string, InstanceSample>>;
  /**
   * What 100 % means for each instance, for utilization, when it is known for those without a sample too. Every instance must then be in
   * it. Without it `request` of the samples is used, and one without a sample is taken to be like the others.
   */
  readonly requests?: Readonly<Record<string, number>>;
  readonly partial?: string;
};

export type FailedReading = { readonly ok: false; readonly code: ReadingErrorCode; readonly message: string };

export type Reading = TotalReading | PerInstanceReading | FailedReading;

/**
 * `created` and `starting` do not serve yet. From `draining` on an instance is leaving or gone, or (`parked`) kept warm: it counts
 * neither as an instance nor in any average.
 */
export type InstancePhase =
  | 'created'
  | 'starting'
  | 'running'
  | 'draining'
  | 'parked'
  | 'removing'
  | 'exited'
  | 'dead'
  | 'failed';

export type InstanceObservation = {
  readonly id: string;
  readonly phase: InstancePhase;
  /**
   * HAProxy's health check where there is one, else Docker's, else "running for `readinessDelay`". null: nothing to judge by.
   */
  readonly ready: boolean | null;
  /** Since it was started; null when it was not. */
  readonly startAgeMs: number | null;
  /** Since `ready` last changed. */
  readonly readyChangedAgeMs: number | null;
  /** For the choice of victims: sessions with the queue of its server, the Docker host, and whether it must not be removed. */
  readonly sessions?: number | null;
  readonly host?: string;
  readonly protected?: boolean;
};

export type Observations = {
  /** The wanted size as it is stored on the target; `ok: false` when that could not be read. */
  readonly target:
    | { readonly ok: true; readonly wanted: number; readonly observed?: number }
    | { readonly ok: false; readonly message: string };
  readonly instances: readonly InstanceObservation[];
  /** By metric name. A metric without a reading counts as failed. */
  readonly readings: Readonly<Record<string, Reading>>;
  readonly alerts?: readonly Alert[];
  readonly gate?: {
    /** False: this coordinator does not hold the lease, or its fencing token is old. */
    readonly leader?: boolean;
    /** False: the last change of ours cannot be seen on the target yet. */
    readonly ownWriteVisible?: boolean;
    /** Another policy that claims the same target. */
    readonly conflictsWith?: string;
  };
  /** A rolling update in progress, and the wanted size without its surge. */
  readonly rollout?: { readonly sizeWithoutSurge: number };
  /** How many more instances the hosts can take, and why no more. */
  readonly capacity?: { readonly fits: number; readonly why?: string };
  /** Ready instances that rolling updates and restarts have already been promised (the shared ledger). */
  readonly reservedDisruptions?: number;
  /** How creating instances went since the last evaluation. */
  readonly creation?: 'failed' | 'succeeded';
  /** The largest size that the cap over all services leaves to this one. */
  readonly quota?: number;
  /** Measured time from the start of an instance until it serves, for schedules with `leadTime: auto`. */
  readonly startupMs?: number;
  readonly controls?: {
    readonly pause?: { readonly pause: Pause; readonly untilWallMs?: number };
    /** A size set by hand; when it expires the policy decides again. */
    readonly override?: { readonly replicas: number; readonly untilWallMs?: number };
    readonly forceActive?: boolean;
    readonly dryRun?: boolean;
  };
};
