// Where a number is in a JSON document: `data.queues[0].length`, `["a.b"].count`; an empty path is the whole document.
import { ReadingError } from './reading-error.ts';

type Step = string | number;

const step = /\.?([^.[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** Undefined when the text is no path. */
export function parsePath(path: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  step.lastIndex = 0;
  while (step.lastIndex < path.length) {
    const match = step.exec(path);
    if (match === null) return undefined;
    const [, key, index, quoted] = match;
    if (index !== undefined) steps.push(Number(index));
    else steps.push(key ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1'));
  }
  return steps;
}

/**
 * The value at `path`.
 * @throws ReadingError `empty` when a list is too short or a part is null; `bad-answer` when the document has another shape
 */
export function valueAt(document: unknown, path: string): unknown {
  const steps = parsePath(path);
  if (steps === undefined)
    throw new ReadingError('bad-answer', `${JSON.stringify(path)} is no path`, {
      hint: 'write keys and indexes such as data.queues[0].length',
    });
  let value = document;
  let walked = '';
  for (const next of steps) {
    const here = walked === '' ? 'the answer' : walked;
    walked += typeof next === 'number' ? `[${next}]` : `${walked === '' ? '' : '.'}${next}`;
    if (value === null) throw new ReadingError('empty', `${here} is null`);
    if (typeof next === 'number') {
      if (!Array.isArray(value)) throw new ReadingError('bad-answer', `${here} is no list`);
      if (next >= value.length) throw new ReadingError('empty', `${here} has ${value.length} entries`);
      value = value[next];
    } else {
      if (typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value ?? {}, next))
        throw new ReadingError('bad-answer', `${here} has no ${JSON.stringify(next)}`);
      value = Object.entries(value ?? {}).find(([key]) => key === next)?.[1];
    }
  }
  return value;
}
