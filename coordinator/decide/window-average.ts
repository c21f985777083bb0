// Averages over a sliding window, in buckets of time.
//
// `counts`: many reporters; values in one bucket add up, and a bucket in which nobody reported is a 0.
// `gauge`: one reading an evaluation; a bucket is the mean of its values, and one without any says nothing.
//
// The average runs over the part of the window that has been filled since the first value. Buckets that fell out of the window are
// gone; a value for a time before the window is ignored.

export type Bucket = { readonly index: number; readonly sum: number; readonly count: number };

export type BucketWindow = {
  /** Oldest first, each within the window that ends with `last`. */
  readonly buckets: readonly Bucket[];
  /** First bucket ever written in this stretch, and the newest one. */
  readonly first: number;
  readonly last: number;
};

export type WindowRules = { readonly size: number; readonly mode: 'counts' | 'gauge' };

export function recordValue(
  window: BucketWindow | null,
  index: number,
  value: number,
  rules: WindowRules,
): BucketWindow {
  // Sums of what a broken source says must stay numbers, also in JSON.
  const added = { index, sum: Math.min(value, Number.MAX_SAFE_INTEGER), count: 1 };
  if (window === null || index - window.last >= rules.size)
    return { buckets: [added], first: index, last: index };
  if (window.last - index >= rules.size) return window;
  const last = Math.max(window.last, index);
  const recent = window.buckets.filter((bucket) => last - bucket.index < rules.size);
  return { buckets: insert(recent, added), first: Math.min(window.first, index), last };
}

function insert(buckets: readonly Bucket[], added: Bucket): Bucket[] {
  const after = buckets.findLastIndex((bucket) => bucket.index <= added.index);
  const known = buckets[after];
  if (known?.index !== added.index) return buckets.toSpliced(after + 1, 0, added);
  return buckets.with(after, {
    index: known.index,
    sum: known.sum + added.sum,
    count: known.count + added.count,
  });
}

/** Buckets since the last write that are still empty, or null when the whole window is. */
function idleBuckets(window: BucketWindow | null, index: number, size: number): number | null {
  if (window === null) return null;
  const idle = Math.max(0, index - window.last);
  return idle < size ? idle : null;
}

/** The mean over the filled part of the window that ends at `index`; null when there is nothing in it. */
export function windowMean(window: BucketWindow | null, index: number, rules: WindowRules): number | null {
  const idle = idleBuckets(window, index, rules.size);
  if (window === null || idle === null) return null;
  const end = Math.max(index, window.last);
  const inside = window.buckets.filter((bucket) => end - bucket.index < rules.size);
  if (inside.length === 0) return null;
  if (rules.mode === 'gauge') {
    return inside.reduce((sum, bucket) => sum + bucket.sum / bucket.count, 0) / inside.length;
  }
  const filled = Math.min(window.last - window.first + 1, rules.size - idle);
  return inside.reduce((sum, bucket) => sum + bucket.sum, 0) / filled;
}

const leastCoefficient = 0.2;
const coverage = 0.9999;

/** The weight of the newest bucket, so that all together make up `coverage` of the whole. */
export function decayCoefficient(
  buckets: number,
  minimum: number = leastCoefficient,
  covered: number = coverage,
): number {
  return Math.max(minimum, 1 - (1 - covered) ** (1 / buckets));
}

/** As `windowMean`, but each older bucket weighs less. */
export function weightedMean(window: BucketWindow | null, index: number, rules: WindowRules): number | null {
  const idle = idleBuckets(window, index, rules.size);
  if (window === null || idle === null) return null;
  const coefficient = decayCoefficient(rules.size);
  const end = Math.max(index, window.last);
  let sum = 0;
  let weights = 0;
  for (const bucket of window.buckets) {
    const age = end - bucket.index;
    if (age >= rules.size) continue;
    const weight = coefficient * (1 - coefficient) ** age;
    sum += weight * (rules.mode === 'gauge' ? bucket.sum / bucket.count : bucket.sum);
    weights += weight;
  }
  if (rules.mode === 'counts') return sum;
  return weights === 0 ? null : sum / weights;
}
