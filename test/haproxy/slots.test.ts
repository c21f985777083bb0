// The pure rules: which servers are slots, which slots are free, whose they are, and which one a claimant chooses.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type BerthError, type ErrorCode, isBerthError } from '../../shared/errors.ts';
import { staleLocks, staleSeconds } from '../../shared/haproxy/lock.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import {
  chooseSlots,
  countTemplates,
  findTemplate,
  freeAddress,
  freeSlots,
  isDown,
  isDraining,
  isEnabled,
  isInMaintenance,
  lockFor,
  misdirectedSlots,
  slotNumber,
  slotState,
  slotsOf,
} from '../../shared/haproxy/slots.ts';
import { admin, lockRow, slotRow, slotRows, staticRow } from './rows.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const names = (rows: readonly ServerRow[]) => rows.map(({ name }) => name);
const template = (count: number) => ({ backend: 'app', prefix: 'node', count });

function refusal(act: () => unknown, code: ErrorCode): BerthError {
  try {
    act();
  } catch (error) {
    assert.ok(isBerthError(error, code), String(error));
    return error;
  }
  assert.fail(`no ${code}`);
}

describe('which servers are slots', () => {
  test('numbers are plain decimals from 1', () => {
    assert.equal(slotNumber('node12', 'node'), 12);
    for (const name of ['node', 'node0', 'node01', 'node1x', 'node-1', 'nod1', 'node1234567', 'claim.node1'])
      assert.equal(slotNumber(name, 'node'), undefined, name);
  });

  test('in order of number, up to the count, of this backend only', () => {
    const rows = [...slotRows(12).reverse(), slotRow('node3', { backend: 'other' }), slotRow('other3')];
    assert.deepEqual(names(slotsOf(rows, template(11))), names(slotRows(11)));
  });

  test('a plain server with an IP address is none, whatever it is called', () => {
    const rows = [staticRow('node1'), slotRow('node2')];
    assert.deepEqual(names(slotsOf(rows, template(2))), ['node2']);
    assert.equal(countTemplates(rows, 'node').size, 0);
  });

  test('a template with an IP address is known by its `disabled`', () => {
    const rows = slotRows(3, { templated: false });
    assert.equal(slotsOf(rows, template(3)).length, 3);
    assert.equal(slotsOf(slotRows(3, { templated: false, adminState: admin.ready }), template(3)).length, 3);
  });

  test('lock rows and dynamic servers are none', () => {
    const rows = [lockRow('node1', 0), staticRow('node7', { adminState: 0 }), slotRow('node1')];
    assert.deepEqual(names(slotsOf(rows, template(10))), ['node1']);
  });
});

describe('finding the template', () => {
  const app = slotRows(10);
  const two = [...app, ...slotRows(10, { backend: 'two' })];

  test('the only backend that has the slots', () => {
    assert.deepEqual(findTemplate(app, { backend: undefined, prefix: 'node', count: 10 }), template(10));
    assert.deepEqual(findTemplate(app, { backend: undefined, prefix: 'node', count: 7 }), template(7));
  });

  test('several backends: an error that lists them, unless one is named', () => {
    const error = refusal(
      () => findTemplate(two, { backend: undefined, prefix: 'node', count: 10 }),
      'slot.ambiguous-backend',
    );
    assert.match(error.message, /app, two/);
    assert.match(error.hint ?? '', /HAPROXY_BACKEND/);
    assert.equal(findTemplate(two, { backend: 'two', prefix: 'node', count: 10 }).backend, 'two');
  });

  test('the one with exactly NODE_COUNT slots goes before a larger one', () => {
    const rows = [...slotRows(20, { backend: 'large' }), ...app];
    assert.equal(findTemplate(rows, { backend: undefined, prefix: 'node', count: 10 }).backend, 'app');
    refusal(
      () => findTemplate(rows, { backend: undefined, prefix: 'node', count: 5 }),
      'slot.ambiguous-backend',
    );
  });

  test('the dash of a web page gives one slot: the error says so', () => {
    const error = refusal(
      () => findTemplate(slotRows(1), { backend: undefined, prefix: 'node', count: 100 }),
      'slot.too-few',
    );
    assert.match(error.message, /NODE_COUNT is 100, but backend app has 1 slot node1/);
    assert.match(error.hint ?? '', /dash/);
    refusal(() => findTemplate(slotRows(1), { backend: 'app', prefix: 'node', count: 2 }), 'slot.too-few');
  });

  test('a gap ends the template', () => {
    const rows = [slotRow('node1'), slotRow('node3')];
    refusal(() => findTemplate(rows, { backend: undefined, prefix: 'node', count: 3 }), 'slot.too-few');
  });

  test('no such backend, no such prefix, no server at all: each names what there is', () => {
    const unknown = refusal(
      () => findTemplate(app, { backend: 'web', prefix: 'node', count: 1 }),
      'slot.no-backend',
    );
    assert.match(unknown.message, /no backend web with servers; it has: app/);
    const prefix = refusal(
      () => findTemplate(app, { backend: undefined, prefix: 'srv', count: 1 }),
      'slot.no-backend',
    );
    assert.match(prefix.hint ?? '', /server-template srv 1-1 localhost:3128/);
    refusal(() => findTemplate([], { backend: undefined, prefix: 'node', count: 1 }), 'slot.no-backend');
    refusal(
      () => findTemplate([staticRow('node1')], { backend: undefined, prefix: 'node', count: 1 }),
      'slot.no-backend',
    );
  });
});

describe('states', () => {
  test('the masks of HAProxy', () => {
    const table: [number, 'maint' | 'drain' | 'ready'][] = [
      [5, 'maint'],
      [4, 'ready'],
      [12, 'drain'],
      [0, 'ready'],
      [1, 'maint'],
      [2, 'maint'],
      [8, 'drain'],
      [0x20, 'maint'],
      [0x24, 'maint'],
      [9, 'maint'],
    ];
    for (const [adminState, state] of table) {
      const row = slotRow('node1', { adminState, operationalState: 2 });
      assert.equal(slotState(row, false), state, `mask ${adminState}`);
      assert.deepEqual(
        [isInMaintenance(row), isDraining(row), isEnabled(row)],
        [state === 'maint', state === 'drain', state === 'ready'],
      );
    }
  });

  test('down is what checks found, not what somebody set', () => {
    assert.equal(isDown(slotRow('node1', { adminState: admin.ready, operationalState: 0 })), true);
    assert.equal(isDown(slotRow('node1', { adminState: admin.drain, operationalState: 0 })), true);
    assert.equal(isDown(slotRow('node1', { adminState: admin.maint, operationalState: 0 })), false);
    assert.equal(
      slotState(slotRow('node1', { adminState: admin.ready, operationalState: 0 }), false),
      'down',
    );
    assert.equal(slotState(slotRow('node1'), true), 'free');
  });
});

describe('which slots are free', () => {
  const held = { address: '10.0.0.7', port: 80 };
  const free = (...rows: ServerRow[]) => names(freeSlots(rows));

  test('in maintenance with the template’s address, Berth’s own, or none', () => {
    for (const address of ['127.0.0.1', '127.0.1.1', '::1']) {
      const rows = slotRows(3, { address });
      assert.equal(freeSlots(rows).length, 3, address);
    }
    for (const address of ['0.0.0.0', '::', '-', ''])
      assert.deepEqual(free(slotRow('node1', { address, adminState: admin.noAddress })), ['node1'], address);
    assert.deepEqual(free(slotRow('node1', freeAddress)), ['node1']);
  });

  test('not one in maintenance with an owner’s address, nor one out of maintenance', () => {
    assert.deepEqual(free(slotRow('node1', held), slotRow('node2', { adminState: admin.ready })), []);
    assert.deepEqual(free(slotRow('node1', { ...freeAddress, adminState: admin.drain })), []);
  });

  test('an app on loopback that an operator holds in maintenance is not free while the template’s address is seen', () => {
    const local = slotRow('node1', { address: '127.0.0.1', port: 8080 });
    assert.deepEqual(free(local, slotRow('node2'), slotRow('node3')), ['node2', 'node3']);
    // The same with another loopback address and the template's port, and beside slots that were given back.
    const other = slotRow('node1', { address: '127.0.0.5', port: 3128 });
    assert.deepEqual(free(other, slotRow('node2'), slotRow('node3'), slotRow('node4', freeAddress)), [
      'node2',
      'node3',
      'node4',
    ]);
  });

  test('the last untouched slot is still free', () => {
    assert.deepEqual(free(slotRow('node1', { ...held, adminState: admin.ready }), slotRow('node2')), [
      'node2',
    ]);
    assert.deepEqual(free(slotRow('node1')), ['node1']);
  });
});

describe('what HAProxy would send to itself', () => {
  test('a placeholder in traffic, ready or in drain', () => {
    const idle = slotRows(3).slice(1);
    const muted = (fields: Partial<ServerRow>) =>
      names(misdirectedSlots([slotRow('node1', fields), ...idle]));
    assert.deepEqual(muted({ adminState: admin.ready }), ['node1']);
    assert.deepEqual(muted({ adminState: admin.ready, ...freeAddress }), ['node1']);
    assert.deepEqual(muted({ adminState: admin.drain, address: '0.0.0.0', port: 80 }), ['node1']);
    assert.deepEqual(muted({ adminState: admin.maint }), []);
    assert.deepEqual(muted({ adminState: admin.ready, address: '10.0.0.7' }), []);
    assert.deepEqual(muted({ adminState: admin.ready, address: '127.0.0.1', port: 8080 }), []);
  });
});

describe('lock rows', () => {
  test('stale from six seconds on, outermost breakers first', () => {
    const rows = [
      lockRow('node1', staleSeconds),
      lockRow('node2', staleSeconds - 1),
      lockRow('node3', 9, { name: 'break.claim.node3' }),
      slotRow('node1'),
    ];
    assert.deepEqual(names(staleLocks(rows)), ['break.claim.node3', 'claim.node1']);
  });

  test('a server of haproxy.cfg that is called like one is none', () => {
    const rows = [
      staticRow('claim.node1', { secondsSinceChange: 99 }),
      lockRow('node2', 99, { adminState: 0 }),
      lockRow('node3', 99, { templated: true }),
      lockRow('node4', 99, { address: '10.0.0.9' }),
    ];
    assert.deepEqual(staleLocks(rows), []);
  });

  test('names in the slot’s own backend and in the side backend', () => {
    const slot = { backend: 'app', name: 'node1' };
    assert.deepEqual(lockFor(slot, false), { backend: 'app', name: 'claim.node1' });
    assert.deepEqual(lockFor(slot, true), { backend: 'berth-locks', name: 'claim.app.node1' });
  });
});

describe('choosing', () => {
  test('the slot that it had comes first, whatever else is free', (t) => {
    t.diagnostic(`seed ${seed}`);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.string(), fc.nat(59), (count, id, had) => {
        const rows = slotRows(count);
        const chosen = chooseSlots(rows, id, `node${had + 1}`);
        assert.deepEqual([...names(chosen)].sort(), [...names(rows)].sort());
        if (had < count) assert.equal(chosen[0]?.name, `node${had + 1}`);
        assert.deepEqual(
          names(chooseSlots([...rows].reverse(), id, undefined)),
          names(chooseSlots(rows, id, undefined)),
        );
      }),
      { seed },
    );
  });

  test('claimants who come at once mostly choose different slots', () => {
    const rows = slotRows(100);
    const first = new Map<string, number>();
    for (let index = 0; index < 2000; index += 1) {
      const name = chooseSlots(rows, `3f2a9c${(index * 7919).toString(16)}`, undefined)[0]?.name ?? '';
      first.set(name, (first.get(name) ?? 0) + 1);
    }
    // 20 on average; a Poisson draw passes 45 once in millions.
    assert.ok(first.size >= 98, `${first.size} of 100 slots are somebody's first choice`);
    assert.ok(
      Math.max(...first.values()) <= 45,
      `one slot is the first choice of ${Math.max(...first.values())}`,
    );
  });
});

test('whatever the rows: a slot is free, enabled, or neither, and never free and misdirected', (t) => {
  t.diagnostic(`seed ${seed}; repeat with FC_SEED=${seed}`);
  const anyRow = fc.record({
    address: fc.constantFrom('127.0.0.1', '127.0.0.2', '10.0.0.1', '0.0.0.0', '::1', '-', 'fd00::1'),
    port: fc.constantFrom(0, 1, 80, 3128, 8080),
    adminState: fc.nat(63),
    operationalState: fc.nat(3),
    templated: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 12 }), (fields) => {
      const rows = fields.map((each, index) => slotRow(`node${index + 1}`, each));
      const slots = slotsOf(rows, template(12));
      const free = freeSlots(slots);
      for (const row of free) assert.ok(isInMaintenance(row));
      for (const row of misdirectedSlots(slots)) assert.ok(!isInMaintenance(row) && !free.includes(row));
      for (const row of slots) {
        assert.equal([isInMaintenance(row), isDraining(row), isEnabled(row)].filter(Boolean).length, 1);
        if (row.address === '10.0.0.1' || row.address === 'fd00::1') assert.ok(!free.includes(row));
      }
    }),
    { seed, numRuns: 1000 },
  );
});
