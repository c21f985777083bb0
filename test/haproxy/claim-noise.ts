// Noise for claims: agents' registrations against a model of HAProxy, with delays, late addresses, agents that die at any
// point, restarts of HAProxy in the middle, and coordinators that plan and write many slots at once without waiting for
// anybody, and die at any point too.
import fc from 'fast-check';
import { Registration } from '../../agent/registration.ts';
import { applySteps } from '../../coordinator/slots/apply-steps.ts';
import { findSlots } from '../../coordinator/slots/find-slots.ts';
import { planSlots } from '../../coordinator/slots/plan-slots.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import { parseServersState } from '../../shared/haproxy/servers-state.ts';
import type { AgentEvent } from '../../shared/protocol.ts';
import { agentAt } from '../slots/world.ts';
import { ModelHaproxy } from './model-haproxy.ts';
import { dice, VirtualTime } from './virtual-time.ts';

export interface Scenario {
  seed: number;
  /** Agents add servers with these parameters; undefined: a template has the slots. */
  parameters?: string;
  /** Until then HAProxy deletes only every other server that it is told to. */
  keepsUntilMs?: number;
  slots: number;
  agents: number;
  delayMs: number;
  addressDelayMs: number;
  /** Each entry: which agent dies when, in milliseconds. */
  deaths: { agent: number; atMs: number }[];
  leaves: { agent: number; atMs: number }[];
  restartsAtMs: number[];
  /** Coordinators, from when to when they live; one that lives on would mend what is to be shown here. */
  keepers: { fromMs: number; forMs: number }[];
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export interface Actor {
  address: string;
  registration: Registration;
  events: AgentEvent[];
  alive: boolean;
  left: boolean;
}

export async function play(scenario: Scenario): Promise<{ actors: Actor[]; haproxy: ModelHaproxy }> {
  const time = new VirtualTime();
  const random = dice(scenario.seed);
  const { slots, delayMs, addressDelayMs, parameters, keepsUntilMs = 0 } = scenario;
  const keeps = () => time.now < keepsUntilMs && random() < 0.5;
  const haproxy = new ModelHaproxy({ slots, time, random, delayMs, addressDelayMs, keeps });
  const stop = new AbortController();
  const actors = Array.from({ length: scenario.agents }, (_, index): Actor => {
    const address = `10.0.0.${index + 1}`;
    const actor: Omit<Actor, 'registration'> & { registration?: Registration } = {
      address,
      events: [],
      alive: true,
      left: false,
    };
    const endpoint = { name: 'lb:9999', host: 'lb', port: 9999 };
    const registration = new Registration(
      {
        endpoint,
        nodeCount: slots,
        slotPrefix: 'node',
        backend: parameters === undefined ? undefined : 'app',
        parameters,
        port: 80,
        host: undefined,
        id: `agent-${index}`,
        gate: 'app',
        stateFile: undefined,
      },
      {
        log: silent,
        clock: time.clock,
        random,
        api: haproxy.client(address, () => actor.alive),
        onChange() {},
        onEvent: (event) => actor.events.push(event),
      },
    );
    registration.want('ready', 'the app answers');
    return Object.assign(actor, { registration });
  });
  for (const { registration } of actors) void registration.run(stop.signal);
  for (const { agent, atMs } of scenario.deaths) {
    const actor = actors[agent % actors.length];
    time.after(atMs, () => {
      if (actor !== undefined) actor.alive = false;
    });
  }
  for (const { agent, atMs } of scenario.leaves) {
    const actor = actors[agent % actors.length];
    time.after(atMs, () => {
      if (actor === undefined) return;
      actor.left = true;
      actor.registration.want('gone', 'stopping');
    });
  }
  for (const { fromMs, forMs } of scenario.keepers) {
    time.after(fromMs, () => void keep(haproxy, time, actors, scenario, fromMs + forMs));
  }
  for (const atMs of scenario.restartsAtMs) time.after(atMs, () => haproxy.restart());
  await time.advance(90_000);
  stop.abort();
  await time.advance(90_001);
  return { actors, haproxy };
}

/** Looks, plans and applies at once, without the patience of the real keeper, until it dies in the middle of something. */
async function keep(
  haproxy: ModelHaproxy,
  time: VirtualTime,
  actors: readonly Actor[],
  { slots, parameters }: Scenario,
  untilMs: number,
): Promise<void> {
  const api = haproxy.client('10.0.0.99', () => time.now < untilMs);
  const fixed = [{ backend: 'app', prefix: 'node', count: slots }];
  const places = new Map();
  let restarted = false;
  while (time.now < untilMs) {
    try {
      const { replies } = await api.transact([commands.showServersState()]);
      const rows = replies.flatMap((reply) => parseServersState(reply));
      const agents = actors.map(({ address, alive, left, registration }) =>
        agentAt(address, undefined, {
          connected: alive && !left,
          goodbyeReason: left ? 'stopping' : undefined,
          lostAt: alive || left ? undefined : 0,
          lastSeen: 0,
          phase: left ? 'stopping' : 'ready',
          registration: registration.report(),
        }),
      );
      const templates = parameters === undefined ? fixed : findSlots(rows, ['node'], agents);
      const clocks = { now: time.now, wall: time.now, watchingSince: 0 };
      const world = {
        rows,
        templates,
        agents,
        restarted,
        ...clocks,
        downSince: new Map(),
        lastOwners: new Map(),
      };
      await applySteps({ api, clock: time.clock, templates, places }, planSlots(world));
      restarted = !restarted;
    } catch {
      // Cut off by a restart, or too slow: it looks again.
    }
    await time.clock.sleep(100);
  }
}

export const scenarios = fc.record<Scenario>({
  seed: fc.integer(),
  slots: fc.integer({ min: 1, max: 12 }),
  agents: fc.integer({ min: 1, max: 14 }),
  delayMs: fc.constantFrom(1, 5, 30, 60),
  addressDelayMs: fc.constantFrom(0, 3, 40, 300),
  deaths: fc.array(fc.record({ agent: fc.nat(20), atMs: fc.integer({ min: 0, max: 1500 }) }), {
    maxLength: 6,
  }),
  leaves: fc.array(fc.record({ agent: fc.nat(20), atMs: fc.integer({ min: 0, max: 3000 }) }), {
    maxLength: 4,
  }),
  restartsAtMs: fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 3 }),
  keepers: fc.array(
    fc.record({ fromMs: fc.integer({ min: 0, max: 3000 }), forMs: fc.integer({ min: 1, max: 3000 }) }),
    { maxLength: 2 },
  ),
});
