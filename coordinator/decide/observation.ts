// What one evaluation is told about the world. Everything here is plain JSON, so that a record can hold it and be replayed.
// Ages are milliseconds before `now` on a monotonic clock (AUTOSCALING.md, 40). A read is a value or an error, never a sentinel.

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
  readonly partial?: string;
};

export type FailedReading = { readonly ok: false; readonly code: ReadingErrorCode; readonly message: string };

export type Reading = TotalReading | PerInstanceReading | FailedReading;
