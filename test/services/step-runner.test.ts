// Steps that the engine refuses, whatever kind they are: tried again later and later, never in a hot loop.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { Creations } from '../../coordinator/services/creations.ts';
import { Fleet } from '../../coordinator/services/fleet.ts';
import type { InstanceStep } from '../../coordinator/services/instance-step.ts';
import { Placement } from '../../coordinator/services/placement.ts';
import { newService } from '../../coordinator/services/service-state.ts';
import { StepRunner } from '../../coordinator/services/step-runner.ts';
import { DockerError } from '../../coordinator/targets/docker/docker-error.ts';
import { HandClock } from '../alerts/hand-clock.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { instance } from './instance.ts';

const kinds = ['undrain', 'unpark', 'drain', 'park', 'stop', 'remove'] as const;

describe('a step that the engine refuses', () => {
  const set = () => {
    const clock = new HandClock('2026-03-02T10:00:00Z');
    const log = memoryLog();
    const rows: AuditEntry[] = [];
    const engine = { refuses: true, tries: 0 };
    const runner = new StepRunner(
      {
        fleet: new Fleet([], { log, clock, agents: () => [] }),
        creations: new Creations(),
        placement: new Placement({
          views: () => [],
          coming: () => [],
          shares: { memory: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY },
        }),
        executor: {
          run: async () => {
            engine.tries += 1;
            if (engine.refuses) throw new DockerError('remove a', 500, 'device or resource busy');
            return { container: 'a', name: 'a', host: 'local' };
          },
        },
        audit: (entry) => rows.push(entry),
        log,
        clock,
      },
      () => {},
    );
    const one = instance('a');
    /** What the loop does each time that it wakes. */
    const round = async (kind: (typeof kinds)[number]) => {
      runner.see([one]);
      if (runner.retryWait(kind, 'a', clock.monotonic()) !== undefined) return;
      const step: InstanceStep = { kind, id: 'a', name: 'a', reason: 'so', remove: false };
      runner.begin([step], newService('web'), [one], new AbortController().signal);
      await runner.ended();
    };
    return { clock, rows, engine, runner, round };
  };

  for (const kind of kinds) {
    it(`is tried again after 1, 2, 4 … s: ${kind}`, async () => {
      const { clock, rows, engine, runner, round } = set();
      for (let ms = 0; ms < 8000; ms += 20) {
        await round(kind);
        clock.advance(20);
      }
      assert.equal(engine.tries, 4, 'at 0, 1, 3 and 7 s');
      assert.deepEqual(
        rows.map(({ outcome }) => outcome),
        ['failed', 'failed', 'failed', 'failed'],
      );
      const why = runner.retryWait(kind, 'a', clock.monotonic()) ?? assert.fail();
      assert.match(why, /device or resource busy.*; the next one is in 7 s/);
      engine.refuses = false;
      clock.advance(10_000);
      await round(kind);
      assert.equal(rows.at(-1)?.outcome, 'ok');
      engine.refuses = true;
      await round(kind);
      assert.match(runner.retryWait(kind, 'a', clock.monotonic()) ?? '', /is in 1 s/, 'reset by success');
      runner.see([]);
      assert.equal(runner.retryWait(kind, 'a', clock.monotonic()), undefined, 'forgotten with its container');
    });
  }

  it('does not hold up another kind of step on the same container', async () => {
    const { clock, runner, round } = set();
    await round('park');
    assert.equal(runner.retryWait('stop', 'a', clock.monotonic()), undefined);
  });
});
