// One policy against one load in virtual time, by the `decide` of the live loop.
//
//   each step: serve the load ─► when an evaluation is due: readings ─► decide ─► start and stop instances
//
// A function of its arguments: the same seed gives the same again. The wall clock begins at `startWallMs`, for schedules.
import { decide } from '../decide/decide.ts';
import { headline } from '../decide/explain.ts';
import type { Observations } from '../decide/observation.ts';
import type { ReasonCode } from '../decide/reasons.ts';
import { emptyState, type PolicyState } from '../decide/state.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';
import { makeReading, type Sight } from './make-reading.ts';
import { noise } from './noise.ts';
import type { ServiceModel } from './service-model.ts';
import { disturbanceAt, type Trace } from './trace.ts';
import { VirtualService } from './virtual-service.ts';

export type SimulateOptions = {
  readonly seed: number;
  /** The load varies by up to this share. */
  readonly noise: number;
  readonly startWallMs: number;
  /** What a restart finds: the stored state, or nothing. */
  readonly keepsState: boolean;
  /** Whether a reading that lacks a part says so. */
  readonly knowsPartial: boolean;
};

export type Sample = {
  /** Milliseconds since the beginning. */
  readonly t: number;
  readonly load: number;
  /** Instances that the load needs at the policy's target, with fractions. */
  readonly needed: number;
  readonly desired: number;
  readonly ready: number;
  readonly queue: number;
};

export type Change = {
  readonly t: number;
  readonly from: number;
  readonly to: number;
  readonly reason: ReasonCode;
  readonly headline: string;
};

export type Summary = {
  /** Instances beyond what the highest load needs. */
  readonly overshoot: number;
  readonly largest: number;
  /** Seconds in which the ready instances got more than the target and its tolerance. */
  readonly secondsUnderTarget: number;
  /** Seconds in which load waited, or more came than could be served. */
  readonly secondsSaturated: number;
  readonly changes: number;
  readonly instanceHours: number;
  readonly maxQueue: number;
  /** Load that gave up waiting, in all. */
  readonly givenUp: number;
  readonly evaluations: number;
};

export type Simulation = {
  readonly policy: string;
  readonly intervalMs: number;
  readonly samples: readonly Sample[];
  readonly changes: readonly Change[];
  readonly summary: Summary;
};

export const standardOptions: SimulateOptions = {
  seed: 1,
  noise: 0.03,
  // A Monday, UTC.
  startWallMs: Date.UTC(2026, 0, 5),
  keepsState: true,
  knowsPartial: true,
};

const fineStepMs = 250;
const coarseStepMs = 1000;
const coarseFromMs = 2 * 3_600_000;
const keptSamples = 1500;

export function simulate(
  admitted: AdmittedPolicy,
  trace: Trace,
  model: ServiceModel,
  given: Partial<SimulateOptions> = {},
): Simulation {
  const options = { ...standardOptions, ...given };
  const { policy } = admitted;
  const stepMs = trace.durationMs >= coarseFromMs ? coarseStepMs : fineStepMs;
  const loadAt = (t: number) =>
    Math.max(0, trace.load(t) * (1 + options.noise * noise(options.seed, Math.floor(t / 1000))));
  let size = clampSize(Math.ceil(trace.load(0) / model.unit), policy.minReplicas, policy.maxReplicas);
  const service = new VirtualService(model, size);
  const tally = new Tally(model, policy.tolerance.up, trace.durationMs / keptSamples);
  const changes: Change[] = [];
  let state: PolicyState = emptyState;
  let runs = 0;
  let isRestarting = false;
  let nextAt = 0;

  for (let t = 0; t < trace.durationMs; t += stepMs) {
    const load = loadAt(t);
    service.step(t, load, stepMs);
    const disturbance = disturbanceAt(trace, t);
    if (disturbance === 'restart') isRestarting = true;
    else if (isRestarting) {
      isRestarting = false;
      runs += 1;
      if (!options.keepsState) state = emptyState;
    }
    if (disturbance !== 'restart' && t >= nextAt) {
      nextAt = t + policy.intervalMs;
      evaluate(t, sightOf(disturbance, options.knowsPartial));
    }
    tally.add({
      t,
      load,
      needed: load / model.unit,
      desired: size,
      ready: service.ready(t).length,
      queue: service.traffic.queue,
      present: service.instances.length,
      givenUp: service.traffic.givenUp,
      stepMs,
    });
  }
  return {
    policy: policy.name,
    intervalMs: policy.intervalMs,
    samples: tally.samples,
    changes,
    summary: tally.summary(changes.length),
  };

  function evaluate(t: number, sight: Sight): void {
    tally.evaluations += 1;
    const readings = Object.entries(admitted.sources).map(
      ([name, source]) => [name, makeReading(source, service, t, sight)] as const,
    );
    const observations: Observations = {
      target: { ok: true, wanted: size },
      instances: service.observe(t),
      readings: Object.fromEntries(readings),
      startupMs: model.startMs,
    };
    const now = { wallMs: options.startWallMs + t, monoMs: t, run: String(runs) };
    const decided = decide(policy, state, observations, now);
    state = decided.state;
    const { action, from, to, reason, victims, record } = decided.decision;
    if (action === 'none') return;
    changes.push({ t, from, to, reason, headline: headline(record) });
    service.resize(t, to, victims);
    size = to;
  }
}

function sightOf(disturbance: 'away' | 'partial' | 'restart' | null, knowsPartial: boolean): Sight {
  if (disturbance === 'away') return { state: 'away' };
  if (disturbance !== 'partial') return { state: 'whole' };
  return { state: knowsPartial ? 'partial' : 'blind' };
}

function clampSize(size: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, size));
}

type Step = Sample & { readonly present: number; readonly givenUp: number; readonly stepMs: number };

class Tally {
  readonly samples: Sample[] = [];
  evaluations = 0;
  readonly #model: ServiceModel;
  readonly #tolerance: number;
  readonly #sampleMs: number;
  readonly #sums = { under: 0, saturated: 0, present: 0, givenUp: 0 };
  #maxQueue = 0;
  #largest = 0;
  #maxNeeded = 0;

  constructor(model: ServiceModel, tolerance: number, sampleMs: number) {
    this.#model = model;
    this.#tolerance = tolerance;
    this.#sampleMs = sampleMs;
  }

  add({ present, givenUp, stepMs, ...sample }: Step): void {
    const { t, load, ready, queue, desired, needed } = sample;
    const { unit, capacity } = this.#model;
    if (load > ready * unit * (1 + this.#tolerance)) this.#sums.under += stepMs;
    if (queue > 0 || load > ready * capacity) this.#sums.saturated += stepMs;
    this.#sums.present += present * stepMs;
    this.#sums.givenUp += (givenUp * stepMs) / 1000;
    this.#maxQueue = Math.max(this.#maxQueue, queue);
    this.#largest = Math.max(this.#largest, desired);
    this.#maxNeeded = Math.max(this.#maxNeeded, needed);
    const last = this.samples.at(-1);
    if (last === undefined || t - last.t >= this.#sampleMs) this.samples.push(sample);
  }

  summary(changes: number): Summary {
    const { under, saturated, present, givenUp } = this.#sums;
    return {
      overshoot: Math.max(0, this.#largest - Math.ceil(this.#maxNeeded)),
      largest: this.#largest,
      secondsUnderTarget: under / 1000,
      secondsSaturated: saturated / 1000,
      changes,
      instanceHours: present / 3_600_000,
      maxQueue: this.#maxQueue,
      givenUp,
      evaluations: this.evaluations,
    };
  }
}
