// A cap over all services. Steps down are always granted. What the cap leaves is given to the steps up, the highest priority first;
// services of the same priority take turns, one instance at a time, so that one greedy service does not starve the rest. A
// service above its share keeps what it has: the cap holds back, it takes nothing away.

export type QuotaCost = {
  readonly instances: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
};

export type QuotaRequest = {
  readonly service: string;
  readonly current: number;
  readonly wanted: number;
  readonly priority: number;
  /** What one instance reserves. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
};

/** null: no limit. */
export type QuotaCap = { readonly [K in keyof QuotaCost]: number | null };

export type QuotaGrants = {
  /** Largest size by service, between what it has (or wants, when that is less) and what it wants. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Services that got less than they wanted. */
  readonly limited: readonly string[];
  /** What all of it reserves. */
  readonly reserved: QuotaCost;
};

type Claim = { readonly request: QuotaRequest; size: number };

export function capServices(requests: readonly QuotaRequest[], cap: QuotaCap): QuotaGrants {
  const claims = requests.map(
    (request): Claim => ({ request, size: Math.min(request.current, request.wanted) }),
  );
  let reserved = claims.reduce((sum, claim) => addCost(sum, claim.request, claim.size), noCost);
  const ordered = claims
    .filter((claim) => claim.request.wanted > claim.size)
    .toSorted(
      (a, b) => b.request.priority - a.request.priority || (a.request.service < b.request.service ? -1 : 1),
    );

  for (const group of byPriority(ordered)) {
    let open = group;
    while (open.length > 0) {
      open = open.filter((claim) => {
        const next = addCost(reserved, claim.request, 1);
        if (!isWithin(next, cap, claim.request)) return false;
        reserved = next;
        claim.size += 1;
        return claim.size < claim.request.wanted;
      });
    }
  }
  return {
    sizes: Object.fromEntries(claims.map((claim) => [claim.request.service, claim.size])),
    limited: claims
      .filter((claim) => claim.size < claim.request.wanted)
      .map((claim) => claim.request.service),
    reserved,
  };
}

const noCost: QuotaCost = { instances: 0, cpuMilli: 0, memoryBytes: 0 };

function addCost(sum: QuotaCost, request: QuotaRequest, count: number): QuotaCost {
  return {
    instances: sum.instances + count,
    cpuMilli: sum.cpuMilli + request.cpuMilli * count,
    memoryBytes: sum.memoryBytes + request.memoryBytes * count,
  };
}

/** A resource that the instance does not reserve cannot stop it. */
function isWithin(cost: QuotaCost, cap: QuotaCap, request: QuotaRequest): boolean {
  if (cap.instances !== null && cost.instances > cap.instances) return false;
  if (cap.cpuMilli !== null && request.cpuMilli > 0 && cost.cpuMilli > cap.cpuMilli) return false;
  return cap.memoryBytes === null || request.memoryBytes === 0 || cost.memoryBytes <= cap.memoryBytes;
}

function byPriority(ordered: readonly Claim[]): Claim[][] {
  const groups = new Map<number, Claim[]>();
  for (const claim of ordered) {
    const group = groups.get(claim.request.priority) ?? [];
    group.push(claim);
    groups.set(claim.request.priority, group);
  }
  return [...groups.values()];
}
