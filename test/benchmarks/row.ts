// One line of the benchmark table: what was measured, and the floor that was measured in the same run.
export interface Row {
  what: string;
  /** In `unit`; the median of several runs. */
  value: number;
  unit: string;
  /** What the same work costs at the least, or what a peer needs; measured in the same run. Undefined when there is none. */
  floor?: { what: string; value: number } | undefined;
  /** value / floor. */
  ratio?: number | undefined;
  /** The goal, in words. */
  goal?: string | undefined;
  /** Whether this run met the goal. */
  met?: boolean | undefined;
}

/** What each file of this folder exports. */
export interface Benchmark {
  name: string;
  run(): Promise<Row[]>;
}

/** A row with its ratio. */
export function row(
  what: string,
  value: number,
  unit: string,
  floor?: Row['floor'],
  goal?: { text: string; met: boolean },
): Row {
  return {
    what,
    value,
    unit,
    ...(floor === undefined ? {} : { floor, ratio: value / floor.value }),
    ...(goal === undefined ? {} : { goal: goal.text, met: goal.met }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
