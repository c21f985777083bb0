// The load that a simulated service gets, and what goes wrong meanwhile: made by rule, or recorded (parse-trace.ts). A shape
// rises from `base` to `peak`, in the same unit as the capacity of an instance, per second.
//
//   step      ▁█████▁      ramp       ▁▂▄▆█▆▄▂▁     spike    ▁▁█▁▁▁▁
//   sawtooth  ▁▄█▁▄█▁      daily      two humps in 24 h, the evening's the higher one
//   outage, partial-outage, restart: the load rises and falls while the sources, one of two proxies, or the coordinator
//   are away

export const traceNames = [
  'step',
  'ramp',
  'spike',
  'sawtooth',
  'daily',
  'outage',
  'partial-outage',
  'restart',
] as const;
export type TraceName = (typeof traceNames)[number];

export type Disturbance = {
  /** `away`: no source can be read. `partial`: half of the numbers are missing. `restart`: nobody decides. */
  readonly kind: 'away' | 'partial' | 'restart';
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
};

/** What a disturbance is called in charts. */
export const causes: Readonly<Record<Disturbance['kind'], string>> = {
  away: 'sources away',
  partial: 'half of the numbers missing',
  restart: 'restart',
};

export type Trace = {
  readonly name: string;
  readonly durationMs: number;
  /** Load per second at a time. */
  readonly load: (t: number) => number;
  readonly disturbances: readonly Disturbance[];
};

export type Span = { readonly base: number; readonly peak: number };

const s = 1000;
const minute = 60 * s;
const day = 24 * 60 * minute;
/** Half an interval after an evaluation of a loop of 15 s: neither its best case nor its worst. */
const jumpAt = minute + 7.5 * s;

/** Points between which a shape is a straight line: time, and height from 0 (base) to 1 (peak). */
type Points = readonly (readonly [t: number, height: number])[];

type Shape = {
  readonly durationMs: number;
  readonly height: (t: number) => number;
  readonly disturbances?: readonly Disturbance[];
};

const upAndDown: Points = [
  [0, 0],
  [minute, 0],
  [3 * minute, 1],
  [9 * minute, 1],
  [10 * minute, 0],
];

const shapes: Readonly<Record<TraceName, Shape>> = {
  step: { durationMs: 15 * minute, height: (t) => (t >= jumpAt && t < 8 * minute ? 1 : 0) },
  ramp: {
    durationMs: 20 * minute,
    height: along([
      [0, 0],
      [minute, 0],
      [6 * minute, 1],
      [9 * minute, 1],
      [14 * minute, 0],
    ]),
  },
  spike: { durationMs: 15 * minute, height: (t) => (t >= jumpAt && t < jumpAt + 30 * s ? 1 : 0) },
  sawtooth: { durationMs: 24 * minute, height: (t) => (t % (4 * minute)) / (4 * minute) },
  daily: {
    durationMs: day,
    height: along([
      [0, 0.1],
      [day * (4 / 24), 0],
      [day * (7 / 24), 0.2],
      [day * (10 / 24), 0.8],
      [day * (14 / 24), 0.6],
      [day * (17 / 24), 0.65],
      [day * (20 / 24), 1],
      [day * (22 / 24), 0.5],
      [day, 0.1],
    ]),
  },
  outage: {
    durationMs: 20 * minute,
    height: along(upAndDown),
    disturbances: [{ kind: 'away', fromMs: 4 * minute, toMs: 12 * minute }],
  },
  'partial-outage': {
    durationMs: 20 * minute,
    height: along(upAndDown),
    disturbances: [{ kind: 'partial', fromMs: 2 * minute, toMs: 12 * minute }],
  },
  restart: {
    durationMs: 20 * minute,
    height: along(upAndDown),
    disturbances: [{ kind: 'restart', fromMs: 11 * minute, toMs: 11 * minute + 10 * s }],
  },
};

/** A trace by name. With another duration it ends earlier, or begins again. */
export function madeTrace(name: TraceName, { base, peak }: Span, durationMs?: number): Trace {
  const shape = shapes[name];
  const whole = durationMs ?? shape.durationMs;
  return {
    name,
    durationMs: whole,
    load: (t) => base + (peak - base) * shape.height(t % shape.durationMs),
    disturbances: repeated(shape, whole),
  };
}

function repeated({ durationMs, disturbances = [] }: Shape, whole: number): Disturbance[] {
  const rounds = Array.from({ length: Math.ceil(whole / durationMs) }, (_, index) => index * durationMs);
  return rounds.flatMap((start) =>
    disturbances.map((each) => ({ ...each, fromMs: start + each.fromMs, toMs: start + each.toMs })),
  );
}

/** The straight line through `points`; before the first and after the last it stays at their height. */
export function along(points: Points): (t: number) => number {
  return (t) => {
    const next = points.findIndex(([at]) => at > t);
    const [after] = next === -1 ? [] : [points[next]];
    const before = points[(next === -1 ? points.length : next) - 1];
    if (before === undefined) return after?.[1] ?? 0;
    if (after === undefined) return before[1];
    const share = (t - before[0]) / (after[0] - before[0]);
    return before[1] + (after[1] - before[1]) * share;
  };
}

/** What is wrong at a time. */
export function disturbanceAt({ disturbances }: Trace, t: number): Disturbance['kind'] | null {
  return disturbances.find(({ fromMs, toMs }) => t >= fromMs && t < toMs)?.kind ?? null;
}
