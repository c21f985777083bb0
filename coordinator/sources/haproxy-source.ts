// HAProxy's own numbers for one backend, over all proxies (HAPROXY.md, "Numbers for scaling").
//
//   sessions, queue   sums
//   requestRate       each proxy's rate from its own counters, summed
//   responseTime      mean of the proxies' `rtime`, weighted by their requests in the window; it freezes when traffic
//                     stops, so it means something only with enough requests in the window
//   errorRate         failed answers by all answers in the window, with enough of them
//
// A proxy that did not answer makes the load look smaller: the reading is then marked partial. A proxy that answers
// but has no such backend adds nothing; when none has it, the read fails.
import type { Reading, TotalReading } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import type { BackendLoad } from './backend-loads.ts';
import { addSample, type CounterWindow, emptyWindow, type Growth, growthOf } from './counter-window.ts';
import type { MissingProxy, ProxyLoads } from './haproxy-loads.ts';
import { ReadingError } from './reading-error.ts';
import { partOf, type ReadContext, type Source, type SourceParts, type SourceTarget } from './source.ts';

/** One proxy's part of the reading. */
export interface ProxyPart {
  readonly proxy: string;
  readonly load: BackendLoad;
  /** Undefined while there is one sample only. */
  readonly growth: Growth | undefined;
  /** There is one sample since a reset, and the growth is what was before: it says nothing of the new process. */
  readonly isKept: boolean;
}

export function haproxySource(
  config: SourceOf<'haproxy'>,
  target: SourceTarget,
  { loads }: Pick<SourceParts, 'loads'>,
): Source {
  const backend = config.backend ?? target.backend;
  let windows: ReadonlyMap<string, CounterWindow> = new Map();
  return {
    read: async (context: ReadContext) => {
      const proxies = await loads.read(partOf(context));
      const answered = proxies.filter((each): each is ProxyLoads => 'backends' in each);
      const missing = proxies.filter((each): each is MissingProxy => 'failure' in each);
      const next = new Map<string, CounterWindow>();
      // A proxy that is away keeps its window: when it comes back its counters have gone on, or the process is another.
      for (const { proxy } of missing) next.set(proxy, windows.get(proxy) ?? emptyWindow);
      const parts = answered.flatMap(({ proxy, at, process, backends }): ProxyPart[] => {
        const load = backends.get(backend);
        if (load === undefined) return [];
        const sample = { at, process, counters: load.counters };
        const window = addSample(windows.get(proxy) ?? emptyWindow, sample, config.window);
        next.set(proxy, window);
        return [{ proxy, load, growth: growthOf(window), isKept: window.kept !== undefined }];
      });
      windows = next;
      const oldest = Math.min(...answered.map(({ at }) => at));
      const ageMs = answered.length === 0 ? 0 : Math.max(0, context.clock.monotonic() - oldest);
      return combineProxies(config, backend, parts, missing, { ageMs, proxies: proxies.length });
    },
  };
}

/** The reading from what each proxy said. @throws ReadingError */
export function combineProxies(
  { what, minRequests }: Pick<SourceOf<'haproxy'>, 'what' | 'minRequests'>,
  backend: string,
  parts: readonly ProxyPart[],
  missing: readonly MissingProxy[],
  { ageMs, proxies }: { ageMs: number; proxies: number },
): Reading {
  if (proxies === 0)
    throw new ReadingError('unknown', 'no HAProxy is configured', { hint: 'set HAPROXY_SERVER' });
  const [firstMissing] = missing;
  if (parts.length === 0) {
    if (firstMissing !== undefined) return firstMissing.failure;
    throw new ReadingError('refused', `no HAProxy has a backend ${backend}`, {
      hint: 'check `backend` of the source against haproxy.cfg',
    });
  }
  const away = missing.map(({ proxy, failure }) => `${proxy} is missing: ${failure.message}`);
  const total = (value: number, unknown: readonly string[] = []): TotalReading => {
    const partial = [...away, ...unknown];
    return {
      ok: true,
      shape: 'total',
      value,
      ageMs,
      ...(partial.length === 0 ? {} : { partial: partial.join('; ') }),
    };
  };
  switch (what) {
    case 'sessions':
      return total(sum(parts, ({ load }) => load.sessions));
    case 'queue':
      return total(sum(parts, ({ load }) => load.queue));
    case 'requestRate': {
      const unknown = parts
        .filter(({ growth }) => growth === undefined)
        .map(({ proxy }) => `${proxy}: ${oneLook}`);
      if (unknown.length === parts.length) throw new ReadingError('unknown', unknown.join('; '));
      return total(
        sum(parts, ({ growth }) => perSecond(growth, 'requests')),
        unknown,
      );
    }
    case 'responseTime': {
      const isTcp = parts.some(({ load }) => load.mode === 'tcp');
      if (isTcp)
        throw new ReadingError(
          'refused',
          `backend ${backend} is in tcp mode, where no response time is measured`,
        );
      // After a reset `rtime` begins at 0 as well.
      const current = parts.filter(({ isKept }) => !isKept);
      const requests = enough(current, 'requests', minRequests);
      const weighted = ({ load, growth }: ProxyPart) => load.responseTimeMs * grown(growth, 'requests');
      return total(sum(current, weighted) / requests);
    }
    case 'errorRate': {
      const answers = enough(parts, 'answers', minRequests);
      return total(sum(parts, ({ growth }) => grown(growth, 'failed')) / answers);
    }
  }
}

const oneLook = 'a rate needs two looks at the same process, and there was one so far';

function enough(parts: readonly ProxyPart[], counter: 'requests' | 'answers', least: number): number {
  const count = sum(parts, ({ growth }) => grown(growth, counter));
  if (count >= least) return count;
  throw new ReadingError('too-few-requests', `${count} ${counter} in the window, and ${least} are needed`, {
    hint: 'without traffic HAProxy goes on showing the old value; `minRequests` and `window` set what is enough',
  });
}

function grown(growth: Growth | undefined, counter: keyof BackendLoad['counters']): number {
  return growth?.counters[counter] ?? 0;
}

function perSecond(growth: Growth | undefined, counter: keyof BackendLoad['counters']): number {
  return growth === undefined ? 0 : (grown(growth, counter) * 1000) / growth.elapsedMs;
}

function sum(parts: readonly ProxyPart[], of: (part: ProxyPart) => number): number {
  return parts.reduce((total, part) => total + of(part), 0);
}
