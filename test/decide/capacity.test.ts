// Room on the hosts: what is placed fits, nothing is refused out of ignorance, and a refusal names host, asked and free.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Amounts,
  chooseHost,
  countFits,
  describeNoRoom,
  fitsOn,
  type HostRoom,
  type RoomShares,
} from '../../coordinator/decide/capacity.ts';

const gb = 1024 ** 3;
const shares: RoomShares = { memory: 0.9, cpu: 1 };
const room = (host: string, over: Partial<HostRoom> = {}): HostRoom => ({
  host,
  machine: { memoryBytes: 8 * gb, cpuMilli: 4000 },
  promised: { memoryBytes: 0, cpuMilli: 0 },
  ofService: 0,
  instances: 0,
  ...over,
});
const need = (memoryBytes?: number, cpuMilli?: number): Amounts => ({ memoryBytes, cpuMilli });

const amounts = fc.record({
  memoryBytes: fc.option(fc.integer({ min: 1, max: 16 * gb }), { nil: undefined }),
  cpuMilli: fc.option(fc.integer({ min: 1, max: 16_000 }), { nil: undefined }),
});
const rooms = fc
  .array(
    fc.record({
      machine: amounts,
      promised: fc.record({
        memoryBytes: fc.integer({ min: 0, max: 20 * gb }),
        cpuMilli: fc.integer({ min: 0, max: 20_000 }),
      }),
      ofService: fc.integer({ min: 0, max: 5 }),
      instances: fc.integer({ min: 0, max: 9 }),
    }),
    { maxLength: 4 },
  )
  .map((list) => list.map((each, index): HostRoom => ({ host: `h${index}`, ...each })));
const anyShares = fc.record({
  memory: fc.constantFrom(0.5, 0.9, 1, 1.5, Number.POSITIVE_INFINITY),
  cpu: fc.constantFrom(0.5, 1, 2, Number.POSITIVE_INFINITY),
});

/** The rooms once one more of `what` is on `host`. */
const withOneMore = (list: readonly HostRoom[], host: string, what: Amounts): HostRoom[] =>
  list.map((each) =>
    each.host === host
      ? {
          ...each,
          promised: {
            memoryBytes: each.promised.memoryBytes + (what.memoryBytes ?? 0),
            cpuMilli: each.promised.cpuMilli + (what.cpuMilli ?? 0),
          },
          ofService: each.ofService + 1,
          instances: each.instances + 1,
        }
      : each,
  );

describe('room on Docker hosts', () => {
  it('is what the machine has, less what is kept back and what is promised', () => {
    assert.equal(fitsOn(room('a'), need(gb), shares), 7);
    assert.equal(
      fitsOn(room('a', { promised: { memoryBytes: 6.5 * gb, cpuMilli: 0 } }), need(gb), shares),
      0,
    );
    assert.equal(fitsOn(room('a'), need(undefined, 1500), shares), 2);
    assert.equal(fitsOn(room('a'), need(gb, 1500), shares), 2, 'the scarcer one counts');
    assert.equal(fitsOn(room('a'), need(gb, 1500), { memory: 0.9, cpu: 2 }), 5);
  });

  it('is never refused out of ignorance: no limit, a machine of unknown size, or nothing to be looked at', () => {
    const full = { promised: { memoryBytes: 99 * gb, cpuMilli: 99_000 } };
    assert.equal(fitsOn(room('a', full), need(), shares), Number.POSITIVE_INFINITY);
    const unknown = { ...full, machine: { memoryBytes: undefined, cpuMilli: undefined } };
    assert.equal(fitsOn(room('a', unknown), need(gb, 1000), shares), Number.POSITIVE_INFINITY);
    const off = { memory: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY };
    assert.equal(fitsOn(room('a', full), need(gb, 1000), off), Number.POSITIVE_INFINITY);
  });

  it('is taken where fewest instances of the service are, then fewest at all, and elsewhere when that is full', () => {
    const list = [room('a', { ofService: 1, instances: 1 }), room('b', { instances: 5 }), room('c')];
    assert.equal(chooseHost(list, need(gb), shares), 'c');
    assert.equal(chooseHost(list.slice(0, 2), need(gb), shares), 'b');
    const full = { ...room('c'), promised: { memoryBytes: 7 * gb, cpuMilli: 0 } };
    assert.equal(chooseHost([list[0] ?? full, full], need(gb), shares), 'a');
    assert.equal(chooseHost([full], need(gb), shares), undefined);
  });

  it('that is missing is told with the host, what is free and what was asked', () => {
    const list = [
      room('lab', { promised: { memoryBytes: 6.7 * gb, cpuMilli: 0 } }),
      room('rack', { promised: { memoryBytes: 0, cpuMilli: 3500 } }),
    ];
    assert.equal(
      describeNoRoom(list, need(gb, 1000), shares),
      'no capacity: lab has 512 MB of memory free of 8 GB, 1 GB asked for; rack has 0.5 CPUs free of 4, 1 asked for',
    );
    const six = Array.from({ length: 6 }, (_, index) => room(`h${index}`));
    assert.match(describeNoRoom(six, need(9 * gb), shares), /h2 has .*; 3 more hosts are as full$/);
  });

  it('is filled one by one to what was counted, never above a machine, and the count shrinks by one each time', () => {
    fc.assert(
      fc.property(rooms, amounts, anyShares, (list, what, allowed) => {
        let now = list;
        let left = countFits(now, what, allowed);
        for (let placed = 0; placed < 40; placed += 1) {
          const host = chooseHost(now, what, allowed);
          assert.equal(host === undefined, left < 1, 'a place is found exactly when one was counted');
          if (host === undefined) break;
          now = withOneMore(now, host, what);
          const { machine, promised } = now.find((each) => each.host === host) ?? assert.fail();
          if (what.memoryBytes !== undefined && machine.memoryBytes !== undefined)
            assert.ok(promised.memoryBytes <= machine.memoryBytes * allowed.memory + 1e-6);
          if (what.cpuMilli !== undefined && machine.cpuMilli !== undefined)
            assert.ok(promised.cpuMilli <= machine.cpuMilli * allowed.cpu + 1e-6);
          const next = countFits(now, what, allowed);
          if (left !== Number.POSITIVE_INFINITY) assert.equal(next, left - 1);
          left = next;
        }
      }),
    );
  });

  it('never grows by asking for more, nor by what others are promised; hosts are spread over evenly', () => {
    fc.assert(
      fc.property(rooms, amounts, anyShares, fc.integer({ min: 1, max: 3 }), (list, what, allowed, times) => {
        const larger = {
          memoryBytes: what.memoryBytes === undefined ? undefined : what.memoryBytes * times,
          cpuMilli: what.cpuMilli === undefined ? undefined : what.cpuMilli * times,
        };
        assert.ok(countFits(list, larger, allowed) <= countFits(list, what, allowed));
        const first = list[0];
        if (first === undefined) return;
        assert.ok(
          countFits(withOneMore(list, first.host, what), what, allowed) <= countFits(list, what, allowed),
        );
        const host = chooseHost(list, what, allowed);
        const chosen = list.find((each) => each.host === host);
        for (const other of list)
          if (fitsOn(other, what, allowed) >= 1)
            assert.ok(chosen !== undefined && chosen.ofService <= other.ofService);
      }),
    );
  });
});
