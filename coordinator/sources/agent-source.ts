// Numbers that each app reports through its agent's heartbeat. An agent that is silent leaves an old sample: its age
// says so, and the policy's `maxAge` decides.
import type { InstanceSample } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import { ReadingError } from './reading-error.ts';
import { idsByName, type Source, type SourceParts, type SourceTarget } from './source.ts';

export function agentSource(
  { metric }: SourceOf<'agent'>,
  { service }: SourceTarget,
  { agents, instances }: Pick<SourceParts, 'agents' | 'instances'>,
): Source {
  return {
    read: async ({ clock }) => {
      const ids = idsByName(instances(service));
      const own = agents().filter((agent) => agent.service === service);
      const samples: Record<string, InstanceSample> = {};
      for (const agent of own) {
        const metrics = agent.metrics[metric];
        if (metrics === undefined) continue;
        const ageMs = Math.max(0, clock.monotonic() - metrics.at);
        samples[ids.get(agent.id) ?? agent.id] = { value: metrics.value, ageMs, windowMs: 0 };
      }
      if (Object.keys(samples).length === 0)
        throw new ReadingError(
          'empty',
          own.length === 0
            ? `no agent of ${service} is known`
            : `none of the ${own.length} agents of ${service} reports ${metric}`,
        );
      return { ok: true, shape: 'perInstance', samples };
    },
  };
}
