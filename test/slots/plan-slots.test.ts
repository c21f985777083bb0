// The planner, one situation after the other: which steps come of it, and which must not.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { adoptionMs, massLossMs, unknownDownMs } from '../../coordinator/slots/plan-orphans.ts';
import { planSlots } from '../../coordinator/slots/plan-slots.ts';
import type { SlotWorld } from '../../coordinator/slots/slot-world.ts';
import type { SlotStep } from '../../coordinator/slots/step.ts';
import { staleSeconds } from '../../shared/haproxy/lock.ts';
import { freeAddress } from '../../shared/haproxy/slots.ts';
import { admin, lockRow, slotRow, slotRows, staticRow } from '../haproxy/rows.ts';
import { agentAt, now, silentFor, wall, worldOf } from './world.ts';

/** One line for each step: `kind backend/slot address state`. */
const plan = (world: Partial<SlotWorld>) => planSlots(worldOf(world)).map(show);

function show(step: SlotStep): string {
  const app = 'app' in step ? ` ${step.app.address}:${step.app.port}` : '';
  const state = 'state' in step ? ` ${step.state}` : '';
  const instead =
    step.kind === 'assign' && step.instead !== undefined
      ? ` instead of ${step.instead.address}:${step.instead.port}`
      : '';
  return `${step.kind} ${step.slot.backend}/${step.slot.name}${app}${state}${instead}`;
}

const holding = (name: string, address: string, adminState = admin.ready) =>
  slotRow(name, { address, port: 80, adminState });
const down = { operationalState: 0 };

describe('all is well', () => {
  test('ready agents in ready slots, the rest free: nothing', () => {
    const rows = [holding('node1', '10.0.0.1'), holding('node2', '10.0.0.2'), ...slotRows(5).slice(2)];
    assert.deepEqual(
      plan({ rows, agents: [agentAt('10.0.0.1', 'node1'), agentAt('10.0.0.2', 'node2')] }),
      [],
    );
  });

  test('a slot that checks found down keeps its connected owner', () => {
    const rows = [slotRow('node1', { address: '10.0.0.1', port: 80, adminState: admin.ready, ...down })];
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1')] }), []);
  });

  test('an agent that is starting or stopping looks after its slot itself', () => {
    for (const phase of ['starting', 'stopping'] as const) {
      for (const adminState of Object.values(admin)) {
        const rows = [holding('node1', '10.0.0.1', adminState), ...slotRows(3).slice(1)];
        assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1', { phase })] }), []);
      }
      assert.deepEqual(plan({ rows: slotRows(3), agents: [agentAt('10.0.0.1', undefined, { phase })] }), []);
    }
  });

  test('plain servers of haproxy.cfg are never touched, whatever agents and addresses there are', () => {
    const rows = [
      staticRow('node1'),
      staticRow('node2', { adminState: 1 }),
      staticRow('node3', { address: '127.0.0.1', port: 3128 }),
    ];
    const agents = [
      agentAt('10.0.0.5', 'node1'),
      agentAt('10.0.0.6', undefined),
      agentAt('10.0.0.5', 'node7', silentFor(1e6)),
    ];
    assert.deepEqual(plan({ rows, agents, restarted: true }), []);
  });
});

describe('readiness that fails everywhere at once', () => {
  const unready = (address: string, slot: string) =>
    agentAt(address, slot, { phase: 'unready', registration: { state: 'drain' } });

  test('leaves the last one in traffic; one alone goes, as its probe says', () => {
    const rows = [1, 2, 3].map((number) => holding(`node${number}`, `10.0.0.${number}`));
    const agents = [1, 2, 3].map((number) => unready(`10.0.0.${number}`, `node${number}`));
    assert.equal(plan({ rows, agents }).length, 2);
    assert.deepEqual(
      plan({ rows: [...rows.slice(0, 1), ...slotRows(3).slice(1)], agents: agents.slice(0, 1) }),
      ['set-state app/node1 10.0.0.1:80 drain'],
    );
  });

  test('and takes it out too when another one serves again', () => {
    const rows = [holding('node1', '10.0.0.1'), holding('node2', '10.0.0.2', admin.drain)];
    assert.deepEqual(
      plan({ rows, agents: [unready('10.0.0.1', 'node1'), unready('10.0.0.2', 'node2')] }),
      [],
    );
    const back = [holding('node1', '10.0.0.1'), holding('node2', '10.0.0.2')];
    const agents = [unready('10.0.0.1', 'node1'), agentAt('10.0.0.2', 'node2')];
    assert.deepEqual(plan({ rows: back, agents }), ['set-state app/node1 10.0.0.1:80 drain']);
  });
});

describe('an agent without a slot', () => {
  test('gets its own back while that is free, else another; a second one never the same', () => {
    const rows = [...slotRows(3).slice(0, 2), holding('node3', '10.0.0.3')];
    const agents = [agentAt('10.0.0.1', 'node2'), agentAt('10.0.0.2', 'node2'), agentAt('10.0.0.3', 'node3')];
    assert.deepEqual(plan({ rows, agents }), [
      'assign app/node2 10.0.0.1:80 ready',
      'assign app/node1 10.0.0.2:80 ready',
    ]);
  });

  test('gets none that another one is to get back, unless there is no other', () => {
    const agents = [
      agentAt('10.0.0.1', undefined),
      agentAt('10.0.0.2', 'node1'),
      agentAt('10.0.0.3', 'node2'),
    ];
    assert.deepEqual(plan({ rows: slotRows(3), agents }), [
      'assign app/node3 10.0.0.1:80 ready',
      'assign app/node1 10.0.0.2:80 ready',
      'assign app/node2 10.0.0.3:80 ready',
    ]);
    assert.equal(plan({ rows: slotRows(2), agents }).length, 2);
  });

  test('gets none when none is free, when it is unready, or when it is not certain which backend is meant', () => {
    const full = [holding('node1', '10.0.0.1')];
    const one = agentAt('10.0.0.1', 'node1');
    assert.deepEqual(plan({ rows: full, agents: [one, agentAt('10.0.0.2', undefined)] }), []);
    assert.deepEqual(
      plan({ rows: slotRows(2), agents: [agentAt('10.0.0.2', 'node1', { phase: 'unready' })] }),
      [],
    );
    const templates = ['app', 'two'].map((backend) => ({ backend, prefix: 'node', count: 2 }));
    const rows = [...slotRows(2), ...slotRows(2, { backend: 'two' })];
    assert.deepEqual(plan({ rows, templates, agents: [agentAt('10.0.0.2', undefined)] }), []);
    assert.deepEqual(
      plan({ rows, templates, agents: [agentAt('10.0.0.2', 'node2', { registration: { backend: 'two' } })] }),
      ['assign two/node2 10.0.0.2:80 ready'],
    );
  });

  test('two templates of one backend: the one that its slot is of', () => {
    const templates = ['node', 'big'].map((prefix) => ({ backend: 'app', prefix, count: 2 }));
    const rows = [...slotRows(2), slotRow('big1'), slotRow('big2')];
    assert.deepEqual(plan({ rows, templates, agents: [agentAt('10.0.0.2', 'big2')] }), [
      'assign app/big2 10.0.0.2:80 ready',
    ]);
  });

  test('never gets the slot that an operator holds for another agent on loopback', () => {
    const local = { address: '127.0.0.1', port: 8080 };
    const rows = [slotRow('node1', { ...local, adminState: admin.maint })];
    const agents = [
      agentAt(local.address, 'node1', { registration: { port: 8080 } }),
      agentAt('127.0.0.1', undefined, { id: 'other', registration: { port: 9090 } }),
    ];
    assert.deepEqual(plan({ rows, agents }), ['hold app/node1']);
  });
});

describe('a state that does not fit', () => {
  test('ready although the instance is unready or draining: drain', () => {
    for (const phase of ['unready', 'draining'] as const) {
      const world = {
        rows: [holding('node1', '10.0.0.1')],
        agents: [agentAt('10.0.0.1', 'node1', { phase })],
      };
      assert.deepEqual(plan(world), ['set-state app/node1 10.0.0.1:80 drain']);
    }
  });

  test('drain or maintenance that the agent did not write is an operator’s and left', () => {
    for (const adminState of [admin.maint, admin.drain]) {
      const rows = [holding('node1', '10.0.0.1', adminState)];
      assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1')] }), ['hold app/node1']);
    }
  });

  test('after a restart no operator did it: ready', () => {
    const rows = [holding('node1', '10.0.0.1', admin.maint)];
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1')], restarted: true }), [
      'set-state app/node1 10.0.0.1:80 ready',
    ]);
  });

  test('drain that the agent wrote, waiting for HAProxy’s check, is its own affair, also after a restart', () => {
    const rows = [holding('node1', '10.0.0.1', admin.drain)];
    const agents = [agentAt('10.0.0.1', 'node1', { registration: { state: 'drain' } })];
    for (const restarted of [false, true]) assert.deepEqual(plan({ rows, agents, restarted }), []);
  });
});

describe('doubles and re-used addresses', () => {
  test('a second slot with the same address is given back; the one that the agent names stays', () => {
    const rows = [
      holding('node1', '10.0.0.1'),
      holding('node2', '10.0.0.1'),
      holding('node3', '10.0.0.1', admin.drain),
    ];
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node2')] }), [
      'release app/node1 10.0.0.1:80',
      'release app/node3 10.0.0.1:80',
    ]);
  });

  test('the address in another backend’s slot was another service’s', () => {
    const templates = ['app', 'two'].map((backend) => ({ backend, prefix: 'node', count: 2 }));
    const rows = [
      holding('node1', '10.0.0.1'),
      slotRow('node1', { backend: 'two', address: '10.0.0.1', port: 80, adminState: admin.ready }),
    ];
    assert.deepEqual(plan({ rows, templates, agents: [agentAt('10.0.0.1', 'node1')] }), [
      'release two/node1 10.0.0.1:80',
    ]);
  });

  test('the same address with another port is another app', () => {
    const rows = [
      holding('node1', '10.0.0.1'),
      slotRow('node2', { address: '10.0.0.1', port: 81, adminState: admin.ready }),
    ];
    const agents = [
      agentAt('10.0.0.1', 'node1'),
      agentAt('10.0.0.1', 'node2', { id: 'b', registration: { port: 81 } }),
    ];
    assert.deepEqual(plan({ rows, agents }), []);
  });

  test('two records with one address are one app: nothing is taken in turns', () => {
    const rows = [holding('node1', '10.0.0.1'), ...slotRows(3).slice(1)];
    const agents = [
      agentAt('10.0.0.1', 'node1', { lastSeen: wall }),
      agentAt('10.0.0.1', 'node2', { id: 'old' }),
    ];
    assert.deepEqual(plan({ rows, agents }), []);
    assert.deepEqual(plan({ rows, agents: agents.reverse() }), []);
  });

  test('an address in another spelling is the same address', () => {
    const rows = [slotRow('node1', { address: 'fd00::1', port: 80, adminState: admin.ready })];
    assert.deepEqual(plan({ rows, agents: [agentAt('FD00:0::0001', 'node1')] }), []);
  });

  test('an address that no server can have stops nothing', () => {
    const agents = ['evil; disable frontend x', '0.0.0.0', '', 'localhost', 'fe80::1%eth0'].map((address) =>
      agentAt(address, 'node1'),
    );
    const placeholder = agentAt(freeAddress.address, 'node2', { registration: { port: freeAddress.port } });
    const rows = slotRows(3, freeAddress);
    assert.deepEqual(
      plan({ rows, agents: [...agents, placeholder, agentAt('10.0.0.1', 'node3')], restarted: true }),
      ['assign app/node3 10.0.0.1:80 ready'],
    );
  });
});

describe('written over by hand', () => {
  const lastOwners = new Map([['app/node1', '10.0.0.1:80']]);
  const stranger = holding('node1', '10.9.9.9');

  test('the slot of a live agent: put right in place', () => {
    const world = { rows: [stranger, slotRow('node2')], agents: [agentAt('10.0.0.1', 'node1')], lastOwners };
    assert.deepEqual(plan(world), ['assign app/node1 10.0.0.1:80 ready instead of 10.9.9.9:80']);
  });

  test('when its agent has found another slot meanwhile: given back', () => {
    const rows = [stranger, holding('node2', '10.0.0.1')];
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node2')], lastOwners }), [
      'release app/node1 10.9.9.9:80',
    ]);
  });

  test('without having seen it happen, an unknown address is left, and the agent gets another slot', () => {
    const world = {
      rows: [stranger, slotRow('node2'), slotRow('node3', freeAddress)],
      agents: [agentAt('10.0.0.1', 'node1')],
    };
    assert.deepEqual(
      plan(world)[0],
      `assign app/${plan(world)[0]?.includes('node2') ? 'node2' : 'node3'} 10.0.0.1:80 ready`,
    );
    assert.deepEqual(plan(world).slice(1), ['hold app/node1']);
  });

  test('what an operator put into maintenance with it is left', () => {
    const rows = [holding('node1', '10.9.9.9', admin.maint)];
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1')], lastOwners }), ['hold app/node1']);
  });

  test('with another live agent’s address: that one keeps its own slot, this one waits or gets a free one', () => {
    const rows = [holding('node1', '10.0.0.2'), holding('node2', '10.0.0.2')];
    const agents = [agentAt('10.0.0.1', 'node1'), agentAt('10.0.0.2', 'node2')];
    assert.deepEqual(plan({ rows, agents, lastOwners }), ['release app/node1 10.0.0.2:80']);
    assert.deepEqual(plan({ rows: [...rows, slotRow('node3')], agents, lastOwners }), [
      'assign app/node3 10.0.0.1:80 ready',
      'release app/node1 10.0.0.2:80',
    ]);
  });

  test('an owner who is silent is no reason to write over a stranger', () => {
    const agents = [agentAt('10.0.0.1', 'node1', silentFor(60_000))];
    assert.deepEqual(plan({ rows: [stranger], agents, lastOwners }), ['hold app/node1']);
  });
});

describe('slots that would send HAProxy’s requests to itself', () => {
  test('a free slot that somebody enabled is muted at once', () => {
    const rows = [slotRow('node1', { adminState: admin.ready }), ...slotRows(4).slice(1)];
    const [step] = planSlots(worldOf({ rows }));
    assert.deepEqual([step && show(step), step?.urgent], ['mute app/node1', true]);
    assert.deepEqual(plan({ rows: [slotRow('node1', { ...freeAddress, adminState: admin.drain })] }), [
      'mute app/node1',
    ]);
  });

  test('port and state came back without the address: muted, and its owner’s address written in its place', () => {
    const rows = [
      slotRow('node1', { port: 80, adminState: admin.ready, templated: false }),
      slotRow('node2', { templated: false }),
    ];
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1')], restarted: true }), [
      'mute app/node1',
      'assign app/node1 10.0.0.1:80 ready instead of 127.0.0.1:80',
    ]);
    assert.deepEqual(plan({ rows, agents: [agentAt('10.0.0.1', 'node1', silentFor(10))], restarted: true }), [
      'mute app/node1',
      'release app/node1 127.0.0.1:80',
    ]);
  });

  test('an app that really lives there is left', () => {
    const rows = [
      slotRow('node1', { address: '127.0.0.1', port: 8080, adminState: admin.ready }),
      ...slotRows(4).slice(1),
    ];
    assert.deepEqual(
      plan({ rows, agents: [agentAt('127.0.0.1', 'node1', { registration: { port: 8080 } })] }),
      [],
    );
  });
});

describe('owners who are gone', () => {
  const rows = [
    slotRow('node1', { address: '10.0.0.1', port: 80, adminState: admin.ready, secondsSinceChange: 500 }),
  ];
  const dead = rows.map((row) => ({ ...row, ...down }));
  const released = ['release app/node1 10.0.0.1:80'];

  test('goodbye: at once, whatever checks say', () => {
    const agents = [
      agentAt('10.0.0.1', 'node1', { ...silentFor(100), lostAt: undefined, goodbyeReason: 'stopping' }),
    ];
    assert.deepEqual(plan({ rows, agents }), released);
    assert.match(planSlots(worldOf({ rows, agents }))[0]?.reason ?? '', /goodbye: stopping/);
  });

  test('Docker says that the container is gone: at once', () => {
    assert.deepEqual(
      plan({ rows, agents: [agentAt('10.0.0.1', 'node1', { ...silentFor(100), containerIs: 'gone' })] }),
      released,
    );
  });

  test('silent and DOWN: taken; silent and UP: a partitioned agent that serves keeps its slot', () => {
    const agents = [agentAt('10.0.0.1', 'node1', silentFor(3_600_000))];
    assert.deepEqual(plan({ rows: dead, agents }), released);
    assert.deepEqual(plan({ rows, agents }), []);
  });

  test('silent and paused by Docker: it is due to come back', () => {
    assert.deepEqual(
      plan({
        rows: dead,
        agents: [agentAt('10.0.0.1', 'node1', { ...silentFor(60_000), containerIs: 'paused' })],
      }),
      [],
    );
  });

  test('silent in maintenance: checks say nothing there, so nothing is known', () => {
    const agents = [agentAt('10.0.0.1', 'node1', silentFor(3_600_000))];
    assert.deepEqual(plan({ rows: [holding('node1', '10.0.0.1', admin.maint)], agents }), []);
  });

  test('known from the database only: silence counts from ten seconds after the start', () => {
    const agent = agentAt('10.0.0.1', 'node1', { connected: false, lastHeardAt: undefined });
    const since = (ms: number) => plan({ rows: dead, agents: [agent], watchingSince: now - ms });
    assert.deepEqual(since(adoptionMs), []);
    assert.deepEqual(since(adoptionMs + 1), released);
  });

  test('an address that began to serve after its owner’s goodbye is another container’s', () => {
    const successor = [
      {
        ...rows[0],
        ...slotRow('node1', {
          address: '10.0.0.1',
          port: 80,
          adminState: admin.ready,
          secondsSinceChange: 5,
        }),
      },
    ];
    for (const ended of [{ goodbyeReason: 'stopping' }, { containerIs: 'gone' as const }]) {
      const agents = [agentAt('10.0.0.1', 'node1', { ...silentFor(60_000), ...ended })];
      assert.deepEqual(plan({ rows: successor, agents }), ['hold app/node1']);
      // A wall clock that was set back since says that the owner was heard in the future.
      const later = { ...silentFor(60_000), ...ended, lastSeen: wall + 3_600_000 };
      const odd = [agentAt('10.0.0.1', 'node1', later)];
      assert.deepEqual(plan({ rows: successor, agents: odd }), ['hold app/node1']);
    }
  });

  test('a live agent with the address of one who left keeps its slot', () => {
    const gone = agentAt('10.0.0.1', 'node1', {
      id: 'old',
      connected: false,
      goodbyeReason: 'stopping',
      lastSeen: wall + 1,
    });
    assert.deepEqual(plan({ rows, agents: [gone, agentAt('10.0.0.1', 'node1')] }), []);
  });

  test('unknown: reported, taken only after five minutes DOWN; not while owners are still being found', () => {
    assert.deepEqual(plan({ rows }), ['hold app/node1']);
    assert.deepEqual(plan({ rows, watchingSince: now - adoptionMs + 1 }), []);
    const downFor = (ms: number) => plan({ rows: dead, downSince: new Map([['app/node1', now - ms]]) });
    assert.deepEqual(downFor(unknownDownMs - 1), ['hold app/node1']);
    assert.deepEqual(downFor(unknownDownMs), released);
  });

  test('a coordinator that died while it changed many: what was the silent’s is given back', () => {
    const rowsLeft = [holding('node1', '10.0.0.1', admin.maint), holding('node2', '10.0.0.2', admin.maint)];
    const stale = lockRow(':all:', staleSeconds);
    assert.deepEqual(
      plan({ rows: [...rowsLeft, stale], agents: [agentAt('10.0.0.1', 'node1', silentFor(60_000))] }),
      ['release app/node1 10.0.0.1:80', 'hold app/node2', 'break-lock app/claim.:all:'],
    );
  });

  test('who died in the middle of a claim: the lock is broken and the slot given back', () => {
    const half = holding('node1', '10.0.0.1', admin.maint);
    const stale = lockRow('node1', staleSeconds);
    const steps = ['release app/node1 10.0.0.1:80', 'break-lock app/claim.node1'];
    assert.deepEqual(plan({ rows: [half, stale] }), steps);
    // In one round: with the lock gone, nobody could tell that the slot is nobody's.
    assert.ok(planSlots(worldOf({ rows: [half, stale] })).every(({ urgent }) => urgent));
    assert.deepEqual(
      plan({
        rows: [half, lockRow('node1', staleSeconds, { backend: 'berth-locks', name: 'claim.app.node1' })],
      }),
      ['release app/node1 10.0.0.1:80', 'break-lock berth-locks/claim.app.node1'],
    );
    assert.deepEqual(plan({ rows: [half, lockRow('node1', staleSeconds - 1)], watchingSince: now }), []);
    // The owner lives: it is its own.
    assert.deepEqual(plan({ rows: [half, stale], agents: [agentAt('10.0.0.1', undefined)] }), [
      'set-state app/node1 10.0.0.1:80 ready',
      'break-lock app/claim.node1',
    ]);
  });
});

describe('many silent at once', () => {
  const lost = (count: number, ms: number, of = 10) => ({
    rows: Array.from({ length: of }, (_, index) =>
      slotRow(`node${index + 1}`, {
        address: `10.0.0.${index + 1}`,
        port: 80,
        adminState: admin.ready,
        ...(index < count ? down : {}),
      }),
    ),
    agents: Array.from({ length: of }, (_, index) =>
      agentAt(`10.0.0.${index + 1}`, `node${index + 1}`, index < count ? silentFor(ms) : {}),
    ),
  });
  const kinds = (world: Partial<SlotWorld>) => new Set(planSlots(worldOf(world)).map(({ kind }) => kind));

  test('half or less: taken; more than half: held, and taken after a minute', () => {
    assert.deepEqual(kinds(lost(5, 5000)), new Set(['release']));
    assert.deepEqual(kinds(lost(6, 5000)), new Set(['hold']));
    assert.deepEqual(kinds(lost(6, massLossMs)), new Set(['release']));
    assert.equal(planSlots(worldOf(lost(6, massLossMs))).length, 6);
  });

  test('two instances are too few to tell', () => {
    assert.deepEqual(kinds(lost(2, 5000, 2)), new Set(['release']));
  });

  test('goodbyes are no loss, however many', () => {
    const world = lost(10, 5000);
    const agents = world.agents.map((agent) => ({
      ...agent,
      record: { ...agent.record, goodbyeReason: 'stopping' },
    }));
    assert.deepEqual(kinds({ ...world, agents }), new Set(['release']));
  });
});

describe('a restart of HAProxy', () => {
  for (const count of [100, 1000]) {
    test(`${count} agents: each gets its own slot back, urgently, in one plan`, () => {
      const agents = Array.from({ length: count }, (_, index) =>
        agentAt(`10.0.${index >> 8}.${index & 255}`, `node${index + 1}`),
      );
      const templates = [{ backend: 'app', prefix: 'node', count }];
      const steps = planSlots(worldOf({ rows: slotRows(count), templates, agents, restarted: true }));
      assert.equal(steps.length, count);
      for (const [index, step] of steps.entries()) {
        assert.equal(show(step), `assign app/node${index + 1} 10.0.${index >> 8}.${index & 255}:80 ready`);
        assert.equal(step.urgent, true);
        assert.equal(step.reason, 'HAProxy restarted');
      }
    });
  }

  test('a stale state file: the gone are taken out at once, the living are left', () => {
    const rows = [
      holding('node1', '10.0.0.1'),
      slotRow('node2', { address: '10.0.0.2', port: 80, adminState: admin.ready, secondsSinceChange: 900 }),
    ];
    const agents = [
      agentAt('10.0.0.1', 'node1'),
      agentAt('10.0.0.2', 'node2', { ...silentFor(60_000), goodbyeReason: 'stopping' }),
    ];
    const [step, ...rest] = planSlots(worldOf({ rows, agents, restarted: true }));
    assert.deepEqual(rest, []);
    assert.deepEqual([step && show(step), step?.urgent], ['release app/node2 10.0.0.2:80', true]);
  });
});

test('an empty picture or an empty registry plans nothing', () => {
  assert.deepEqual(plan({ agents: [agentAt('10.0.0.1', 'node1')], restarted: true }), []);
  assert.deepEqual(plan({ rows: [holding('node1', '10.0.0.1'), slotRow('node2')], templates: [] }), []);
  assert.deepEqual(plan({ rows: slotRows(10) }), []);
});
