// Why a read failed. A source either returns a Reading or throws; whatever it throws becomes a FailedReading here, with
// the mend in its message. Nothing is ever turned into a number.
import { BerthError, describeError, type ErrorCode } from '../../shared/errors.ts';
import type { FailedReading, ReadingErrorCode } from '../decide/observation.ts';

export class ReadingError extends BerthError {
  /** What the decision is told. */
  readonly reading: ReadingErrorCode;

  constructor(
    reading: ReadingErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super('source.failed', message, options);
    this.name = 'ReadingError';
    this.reading = reading;
  }
}

const codes: Partial<Record<ErrorCode, ReadingErrorCode>> = {
  'haproxy.unreachable': 'unreachable',
  'haproxy.timeout': 'timeout',
  'haproxy.bad-reply': 'bad-answer',
  'haproxy.permission-denied': 'unauthorized',
  'haproxy.refused': 'refused',
  'docker.unavailable': 'unreachable',
  'docker.failed': 'refused',
};

/** The code that an error stands for. An abort by a deadline is a timeout, any other abort is not the source's fault. */
export function readingCode(error: unknown): ReadingErrorCode {
  if (error instanceof ReadingError) return error.reading;
  if (error instanceof BerthError) return codes[error.code] ?? 'unknown';
  return isTimeout(error) ? 'timeout' : 'unknown';
}

/** What the decision is told of a read that threw. */
export function failedReading(error: unknown): FailedReading {
  return { ok: false, code: readingCode(error), message: describeError(error) };
}

/** True for the reason with which a deadline aborts. */
export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** The reason with which a deadline aborts a read. */
export function deadlineReason(deadlineMs: number): DOMException {
  return new DOMException(`no answer within ${Math.round(deadlineMs)} ms`, 'TimeoutError');
}
