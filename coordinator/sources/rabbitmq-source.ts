// One queue of RabbitMQ, from the management API. Its statistics are collected every 5 s: a queue that was declared a
// moment ago has no numbers yet, which is `empty` and not 0, and so are rates of a queue on which nothing ever happened.
import { z } from 'zod';
import type { Reading } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import { ReadingError } from './reading-error.ts';
import { readingNumber } from './reading-number.ts';
import type { Source, SourceParts } from './source.ts';

const rate = z.object({ rate: z.number() }).optional();
const queueSchema = z.object({
  name: z.string(),
  state: z.string().optional(),
  messages: z.number().optional(),
  messages_ready: z.number().optional(),
  messages_unacknowledged: z.number().optional(),
  message_stats: z.object({ publish_details: rate, ack_details: rate }).optional(),
});

export function rabbitmqSource(config: SourceOf<'rabbitmq'>, { http }: Pick<SourceParts, 'http'>): Source {
  const { vhost, queue, what, auth, tls } = config;
  const path = `/api/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`;
  const url = `${config.url.replace(/\/+$/, '')}${path}`;
  return { read: async ({ signal }) => parseQueue(await http.json({ url, auth, tls }, signal), what) };
}

/** @throws ReadingError */
export function parseQueue(answer: unknown, what: SourceOf<'rabbitmq'>['what']): Reading {
  const parsed = queueSchema.safeParse(answer);
  if (!parsed.success)
    throw new ReadingError('bad-answer', `this is no queue of RabbitMQ: ${z.prettifyError(parsed.error)}`);
  const { name, state, message_stats: stats, ...counts } = parsed.data;
  if (state === 'down' || state === 'stopped' || state === 'crashed')
    throw new ReadingError('refused', `queue ${name} is ${state}: its numbers are those from before`);
  const arrivals = stats?.publish_details?.rate;
  const acknowledged = stats?.ack_details?.rate;
  const values = {
    messages: counts.messages,
    ready: counts.messages_ready,
    unacknowledged: counts.messages_unacknowledged,
    publishRate: arrivals,
    ackRate: acknowledged,
  };
  return {
    ok: true,
    shape: 'total',
    value: readingNumber(values[what], `${what} of queue ${name}`),
    ageMs: 0,
    ...(arrivals === undefined ? {} : { arrivalsPerSecond: arrivals }),
    ...(acknowledged === undefined ? {} : { acknowledgedPerSecond: acknowledged }),
  };
}
