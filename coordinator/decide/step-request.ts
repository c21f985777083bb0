// "One more", "two less": a step asked for by a webhook, an alert document or a person. The size of the step is what the request says,
// else what the service's labels say, else the default; the bounds come from the labels, else from the defaults.
import { stepWithin } from './proposals/step.ts';

export type StepRequest = {
  readonly service: string;
  readonly direction: 'up' | 'down';
  readonly step: number | null;
};

export type StepSettings = {
  readonly min: number | null;
  readonly max: number | null;
  readonly upStep: number | null;
  readonly downStep: number | null;
};

export type StepDefaults = { readonly [K in keyof StepSettings]: number };

/** A request, or what is wrong with it. */
export function parseStepRequest(given: {
  service?: unknown;
  direction?: unknown;
  step?: unknown;
}): { ok: true; request: StepRequest } | { ok: false; message: string } {
  const { service, direction, step = null } = given;
  if (typeof service !== 'string' || service === '') return { ok: false, message: 'no service is named' };
  if (direction !== 'up' && direction !== 'down') {
    return { ok: false, message: `direction is ${JSON.stringify(direction)}: it must be "up" or "down"` };
  }
  if (step !== null && (typeof step !== 'number' || !Number.isSafeInteger(step) || step < 1)) {
    return { ok: false, message: `step is ${JSON.stringify(step)}: it must be a whole number from 1 on` };
  }
  return { ok: true, request: { service, direction, step } };
}

/** The size after the step, kept within the bounds. `atBound`: nothing changes, since a bound is reached. */
export function planStepRequest(
  n: number,
  request: Pick<StepRequest, 'direction' | 'step'>,
  labels: StepSettings,
  defaults: StepDefaults,
): { count: number; atBound: boolean } {
  const bounds = { min: labels.min ?? defaults.min, max: labels.max ?? defaults.max };
  const up = request.step ?? labels.upStep ?? defaults.upStep;
  const down = request.step ?? labels.downStep ?? defaults.downStep;
  const count = stepWithin(n, request.direction === 'up' ? up : -down, bounds, 'shorten');
  return { count, atBound: count === n };
}
