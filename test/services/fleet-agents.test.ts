// What a container without an agent was told holds for as long as it runs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AgentRegistry } from '../../coordinator/agents/registry.ts';
import { FleetAgents } from '../../coordinator/services/fleet-agents.ts';
import { HandClock } from '../alerts/hand-clock.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { dockerInstance } from './docker-instance.ts';

describe('a container without an agent', () => {
  const set = () => {
    const clock = new HandClock('2026-03-02T10:00:00Z');
    const registry = new AgentRegistry({ audit: { record: async () => {} }, log: memoryLog(), clock });
    const agents = new FleetAgents(registry, clock);
    const instance = dockerInstance({ agentId: undefined, hasAgent: false });
    const seen = [{ instance, address: '10.0.0.2', port: 8080, answers: true }];
    agents.attend(seen, ['lb']);
    const id = agents.agentOf(instance) ?? assert.fail();
    const phase = () => agents.list().find((record) => record.id === id)?.phase;
    return { agents, id, seen, phase };
  };

  it('that was drained and stopped serves again when somebody starts it', () => {
    const { agents, id, seen, phase } = set();
    agents.drain(id, true, '1 wanted');
    assert.equal(phase(), 'draining');
    agents.attend(seen, ['lb']);
    assert.equal(phase(), 'draining', 'for as long as it runs');
    agents.attend([], ['lb']);
    assert.equal(phase(), 'stopping');
    agents.attend(seen, ['lb']);
    assert.equal(phase(), 'ready');
  });
});
