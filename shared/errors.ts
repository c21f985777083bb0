// Every error that Berth reports carries a stable code, so that callers, logs, the audit and the API tell errors
// apart without reading their text. A code is never re-used for another meaning. `hint` is the mend.

export type ErrorCode =
  // configuration
  | 'config.invalid'
  // reaching HAProxy's Runtime API
  | 'haproxy.unreachable'
  | 'haproxy.timeout'
  | 'haproxy.bad-reply'
  | 'haproxy.permission-denied'
  | 'haproxy.refused'
  | 'haproxy.stopping'
  | 'haproxy.unsafe-value'
  // slots
  | 'slot.no-backend'
  | 'slot.ambiguous-backend'
  | 'slot.too-few'
  | 'slot.none-free'
  | 'slot.no-lock'
  | 'slot.fixed-address'
  | 'slot.static-balance'
  | 'slot.not-shown'
  | 'slot.lost-race'
  // agent
  | 'app.not-found'
  | 'app.not-executable'
  // coordinator
  | 'session.rejected'
  | 'source.failed'
  | 'policy.invalid'
  | 'policy.conflict'
  | 'budget.exhausted'
  | 'database.unavailable'
  | 'docker.unavailable'
  | 'docker.failed'
  | 'docker.not-cloneable'
  | 'request.invalid'
  | 'request.unauthorized'
  | 'agent.not-connected'
  | 'coordinator.unreachable'
  | 'not-found';

/** An error with a stable code, an optional hint (what to do about it) and an optional cause. */
export class BerthError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'BerthError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** True when `error` is a BerthError with one of `codes` (any code when none is given). */
export function isBerthError(error: unknown, ...codes: ErrorCode[]): error is BerthError {
  return error instanceof BerthError && (codes.length === 0 || codes.includes(error.code));
}

/** One line for people: the message, then the hint in parentheses. */
export function describeError(error: unknown): string {
  if (error instanceof BerthError)
    return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  return error instanceof Error ? error.message : String(error);
}
