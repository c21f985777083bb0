// The responses that every route can give, for its OpenAPI description.
import type { z } from '@hono/zod-openapi';
import { problemSchema } from './schemas.ts';

const errors = {
  400: 'What was asked for cannot be read',
  401: 'No token, or another one',
  403: 'Not from here: without a token only local callers are served',
  404: 'There is no such thing',
  409: 'Not in this state',
  413: 'The body is too large',
  415: 'The body is not called application/json',
  422: 'It can be read, but not be used',
  500: 'The coordinator failed; its log says why',
  503: 'The database is away',
};

export function ok<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } } as const;
}

/** The error responses with these statuses, and those that any request can get. */
export function problems(...more: (400 | 404 | 409 | 413 | 415 | 422 | 503)[]) {
  const statuses = [...more, 401, 403, 500] as const;
  const entries = statuses.map((status) => [
    status,
    { description: errors[status], content: { 'application/problem+json': { schema: problemSchema } } },
  ]);
  return Object.fromEntries(entries) as Record<string, never>;
}
