// Policies side by side: the same load, the same service, one after the other.
import type { AdmittedPolicy } from '../policy/normalize.ts';
import { type PlainHpa, plainHpa, plainHpaOnCpu } from './plain-hpa.ts';
import type { ServiceModel } from './service-model.ts';
import { type SimulateOptions, type Simulation, simulate } from './simulate.ts';
import type { Span, Trace } from './trace.ts';

export type Rival = { readonly title: string } & PlainHpa;
export type Compared = { readonly title: string; readonly simulation: Simulation };

const mostInstances = 10;
const shareOfMaximum = 0.8;
const baseShare = 0.2;

/** A load that the policy's bounds can follow: up to 10 instances' worth, or 80 % of its maximum, from a fifth of that. */
export function loadSpan({ policy }: AdmittedPolicy, { unit }: ServiceModel, peak?: number): Span {
  const highest = peak ?? unit * Math.min(mostInstances, policy.maxReplicas * shareOfMaximum);
  return { base: highest * baseShare, peak: highest };
}

export const presetRivals = ['hpa', 'hpa-cpu'] as const;
export type PresetRival = (typeof presetRivals)[number];

export function presetRival(name: PresetRival, admitted: AdmittedPolicy, model: ServiceModel): Rival {
  return name === 'hpa'
    ? { title: 'plain HPA, 15 s', ...plainHpa(admitted) }
    : { title: 'plain HPA, 15 s, CPU', ...plainHpaOnCpu(admitted, model) };
}

export function compare(
  rivals: readonly Rival[],
  trace: Trace,
  model: ServiceModel,
  options: Partial<SimulateOptions>,
): Compared[] {
  return rivals.map(({ title, admitted, options: own }) => ({
    title,
    simulation: simulate(admitted, trace, model, { ...options, ...own }),
  }));
}
