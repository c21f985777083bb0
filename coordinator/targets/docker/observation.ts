// What is known of one Docker host at one time. A host that does not answer is unknown, not empty: what it had at the
// last listing is kept, marked stale.
import { BerthError, type ErrorCode } from '../../../shared/errors.ts';
import type { HostSize } from './host-size.ts';
import type { Instance } from './instance.ts';

export interface ObservedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

export type HostObservation =
  | {
      readonly host: string;
      readonly known: true;
      /** Monotonic milliseconds: when the listing was asked for. */
      readonly at: number;
      readonly instances: readonly Instance[];
      readonly size: HostSize;
      /** By how much its clock is ahead of ours, as far as that is known. */
      readonly clockAheadMs?: number;
    }
  | {
      readonly host: string;
      readonly known: false;
      /** Wall milliseconds: since when it is unknown. */
      readonly since: number;
      readonly error: ObservedError;
      /** Of the last listing; none before the first. */
      readonly at: number | undefined;
      readonly instances: readonly Instance[];
      readonly size: HostSize;
      readonly clockAheadMs?: number;
    };

/** What has become of a container. `unknown`: its host does not answer, or never listed it. */
export type Fate = 'up' | 'stopped' | 'gone' | 'unknown';

export function observedError(error: unknown): ObservedError {
  if (error instanceof BerthError) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'docker.unavailable', message, hint: undefined };
}
