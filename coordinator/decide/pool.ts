// Keeping a number of instances in existence, and a number of them running (a warm pool). One thing at a time: first enough exist,
// then not too many, then enough run, then not too many. One instance is always kept, so that there is something to clone.
// What cannot be reached does not count. Stopped ones are destroyed first, then those that never ran, then running ones.

export type PoolMember = {
  readonly id: string;
  readonly state: 'created' | 'started' | 'stopped' | 'destroying';
  readonly reachable: boolean;
};

/** null: no limit. */
export type PoolBounds = {
  readonly minCreated: number | null;
  readonly maxCreated: number | null;
  readonly minStarted: number | null;
  readonly maxStarted: number | null;
};

export type PoolStep =
  | { readonly action: 'none' }
  | { readonly action: 'nothing-to-clone' }
  | { readonly action: 'create'; readonly count: number; readonly cloneFrom: string }
  /** `candidates` in order; `count` of them shall succeed. */
  | {
      readonly action: 'start' | 'stop' | 'destroy';
      readonly count: number;
      readonly candidates: readonly string[];
    };

const destroyOrder = ['stopped', 'created', 'started'] as const;

export function planPool(members: readonly PoolMember[], bounds: PoolBounds): PoolStep {
  const reachable = members.filter((member) => member.reachable && member.state !== 'destroying');
  const created = reachable.length;
  const { minCreated, maxCreated, minStarted, maxStarted } = bounds;
  if (minCreated !== null && created < Math.max(1, minCreated)) {
    const [first] = reachable;
    if (first === undefined) return { action: 'nothing-to-clone' };
    return { action: 'create', count: Math.max(1, minCreated) - created, cloneFrom: first.id };
  }
  if (maxCreated !== null && created > Math.max(1, maxCreated)) {
    const candidates = destroyOrder.flatMap((state) => idsIn(reachable, state));
    return { action: 'destroy', count: created - Math.max(1, maxCreated), candidates };
  }
  const started = idsIn(reachable, 'started').toSorted();
  if (minStarted !== null && started.length < minStarted) {
    const candidates = idsIn(reachable, 'stopped').toSorted();
    return { action: 'start', count: minStarted - started.length, candidates };
  }
  if (maxStarted !== null && started.length > maxStarted) {
    return { action: 'stop', count: started.length - maxStarted, candidates: started };
  }
  return { action: 'none' };
}

function idsIn(members: readonly PoolMember[], state: PoolMember['state']): string[] {
  return members.filter((member) => member.state === state).map((member) => member.id);
}

export type PoolProgress = {
  readonly attempted: readonly string[];
  readonly succeeded: number;
  readonly failed: number;
};

/**
 * What to try next, or undefined when the step is done. A start or a stop that fails is made up for by the next candidate; a failed
 * destroy is not, so that a flaky host does not cost more instances than planned.
 */
export function nextCandidate(
  step: Extract<PoolStep, { candidates: unknown }>,
  progress: PoolProgress,
): string | undefined {
  const done = step.action === 'destroy' ? progress.attempted.length : progress.succeeded;
  return done >= step.count ? undefined : step.candidates[progress.attempted.length];
}
