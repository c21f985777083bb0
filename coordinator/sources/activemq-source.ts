// One queue of ActiveMQ Classic, from Jolokia. Jolokia answers 200 with the real status inside. ActiveMQ's own
// configuration of it refuses requests without an Origin. ActiveMQ counts messages in and out since the broker started,
// so rates are differences between two looks.
import { z } from 'zod';
import type { Reading } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import { addSample, emptyWindow, type Growth, growthOf } from './counter-window.ts';
import { ReadingError } from './reading-error.ts';
import type { Source, SourceParts } from './source.ts';

const attributes = z.object({
  QueueSize: z.number(),
  InFlightCount: z.number(),
  EnqueueCount: z.number(),
  DequeueCount: z.number(),
});
type Attributes = z.output<typeof attributes>;

const answerSchema = z.object({
  status: z.number(),
  error: z.string().optional(),
  value: z.unknown().optional(),
});

/** Over which rates are measured: one look is at most this long after the other, or the two last ones. */
const rateWindowMs = 10_000;

export function activemqSource(config: SourceOf<'activemq'>, { http }: Pick<SourceParts, 'http'>): Source {
  const { broker, queue, what, auth, tls } = config;
  const parts = ['type=Broker', `brokerName=${encodeName(broker)}`, 'destinationType=Queue'];
  const body = {
    type: 'read',
    mbean: `org.apache.activemq:${parts.join(',')},destinationName=${encodeName(queue)}`,
    attribute: Object.keys(attributes.shape),
    config: { includeStackTrace: false },
  };
  const headers = { origin: 'http://localhost' };
  let window = emptyWindow;
  return {
    read: async ({ signal, clock }) => {
      const request = { url: config.url, method: 'POST', headers, body, auth, tls } as const;
      const numbers = parseAttributes(await http.json(request, signal));
      const counters = { in: numbers.EnqueueCount, out: numbers.DequeueCount };
      // The broker tells no start time here; counters that go back are the sign of a restart.
      window = addSample(window, { at: clock.monotonic(), process: '', counters }, rateWindowMs);
      return queueReading(numbers, what, growthOf(window));
    },
  };
}

/** As ActiveMQ spells names in its MBeans (its class JMXSupport). */
export function encodeName(name: string): string {
  return name
    .replaceAll(/[:,'"]/g, '_')
    .replaceAll('?', '&qe;')
    .replaceAll('=', '&amp;')
    .replaceAll('*', '&ast;');
}

/** @throws ReadingError */
export function parseAttributes(answer: unknown): Attributes {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success)
    throw new ReadingError('bad-answer', `this is no answer of Jolokia: ${z.prettifyError(parsed.error)}`);
  const { status, error = '', value } = parsed.data;
  if (status === 401 || status === 403)
    throw new ReadingError('unauthorized', `it answered ${status}: ${error.slice(0, 300)}`, {
      hint: "check the broker's jolokia-access.xml",
    });
  if (status !== 200)
    throw new ReadingError('refused', `it answered ${status}: ${error.slice(0, 300)}`, {
      hint: 'check `broker` and `queue` of the source: a queue exists once it was used',
    });
  const numbers = attributes.safeParse(value);
  if (!numbers.success)
    throw new ReadingError('bad-answer', `this is no queue: ${z.prettifyError(numbers.error)}`);
  return numbers.data;
}

function queueReading(
  numbers: Attributes,
  what: SourceOf<'activemq'>['what'],
  growth: Growth | undefined,
): Reading {
  const perSecond = (counter: 'in' | 'out'): number | undefined =>
    growth === undefined ? undefined : ((growth.counters[counter] ?? 0) * 1000) / growth.elapsedMs;
  const arrivals = perSecond('in');
  const acknowledged = perSecond('out');
  const value = {
    messages: numbers.QueueSize,
    inFlight: numbers.InFlightCount,
    enqueueRate: arrivals,
    dequeueRate: acknowledged,
  }[what];
  if (value === undefined)
    throw new ReadingError('unknown', 'a rate needs two looks, and there was one so far');
  return {
    ok: true,
    shape: 'total',
    value,
    ageMs: 0,
    ...(arrivals === undefined ? {} : { arrivalsPerSecond: arrivals }),
    ...(acknowledged === undefined ? {} : { acknowledgedPerSecond: acknowledged }),
  };
}
