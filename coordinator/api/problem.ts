// Errors as `application/problem+json` (RFC 9457). What a caller can mend is said in full; what is our own fault is
// logged in full and told in one sentence.
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { describeError, type ErrorCode, isBerthError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Problem } from './schemas.ts';

export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 500 | 502 | 503;

const titles: Record<ProblemStatus, string> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Content too large',
  415: 'Unsupported media type',
  422: 'Unprocessable content',
  500: 'Internal error',
  502: 'Bad gateway',
  503: 'Service unavailable',
};

const statuses: Partial<Record<ErrorCode, ProblemStatus>> = {
  'request.invalid': 400,
  'request.unauthorized': 401,
  'not-found': 404,
  'agent.not-connected': 409,
  'policy.conflict': 409,
  'budget.exhausted': 409,
  'docker.not-cloneable': 409,
  'policy.invalid': 422,
  'database.unavailable': 503,
  'docker.unavailable': 503,
  'docker.failed': 502,
  'haproxy.unreachable': 502,
  'haproxy.timeout': 502,
};

export function problem(
  c: Context,
  status: ProblemStatus,
  detail: string,
  more: Pick<Problem, 'code' | 'hint' | 'errors'> = {},
): Response {
  const body: Problem = {
    type: 'about:blank',
    title: titles[status],
    status,
    detail,
    instance: c.req.path,
    ...more,
  };
  return c.body(JSON.stringify(body), status, { 'content-type': 'application/problem+json' });
}

/** The response for anything that a route threw. */
export function problemOf(c: Context, error: unknown, log: Log): Response {
  if (isBerthError(error)) {
    const status = statuses[error.code] ?? 500;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return problem(c, status, error.message, { code: error.code, ...hint });
  }
  if (error instanceof HTTPException && (error.status === 400 || error.status === 415)) {
    const detail = error.status === 415 ? 'the body is not called application/json' : error.message;
    return problem(c, error.status, detail, { code: 'request.invalid' });
  }
  const { method, path } = c.req;
  log.error(
    { event: 'request.failed', method, path, error: describeError(error) },
    `${method} ${path} failed`,
  );
  return problem(c, 500, 'the coordinator failed to answer; its log says why');
}
