// The engine's event stream: one JSON object a line.
import { z } from 'zod';
import { eventSchema } from './engine-schema.ts';

export interface DockerEvent {
  /** `start`, `die`, `health_status: healthy`, … */
  readonly action: string;
  /** Of the container. */
  readonly id: string;
  /** Seconds since the epoch, by the engine's clock. */
  readonly seconds: number;
}

/** What changes the state, health or networks of a container. */
export const eventFilters: { type: ('container' | 'network')[]; event: string[] } = {
  type: ['container', 'network'],
  event: [
    ...['create', 'start', 'restart', 'die', 'stop', 'kill', 'oom', 'pause', 'unpause', 'destroy', 'rename'],
    ...['update', 'health_status', 'connect', 'disconnect'],
  ],
};

const lineSchema = z.string().transform((line, context) => {
  try {
    return eventSchema.parse(JSON.parse(line));
  } catch {
    context.addIssue({ code: 'custom', message: 'is not an event' });
    return z.NEVER;
  }
});

/** Longer than any event; a stream without line ends is not one of events. */
const longestLine = 1024 * 1024;

/** @throws Error when the stream is not one of events, or breaks */
export async function* readEvents(stream: AsyncIterable<string>): AsyncGenerator<DockerEvent> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) throw new Error('the event stream has no line ends');
    for (const line of lines) {
      if (line.trim() === '') continue;
      const { Type, Action, Actor, time } = lineSchema.parse(line);
      const id = Type === 'network' ? Actor.Attributes?.['container'] : Actor.ID;
      if (id !== undefined) yield { action: Action, id, seconds: time };
    }
  }
}
