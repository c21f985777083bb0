// What is told of a plan that holds something back: once, and again when it is about something else.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { StepReporter } from '../../coordinator/services/step-reporter.ts';
import { memoryLog } from '../coordinator/memory-log.ts';

describe('what is held back', () => {
  const tell = (...reasons: readonly string[]): string[] => {
    const rows: AuditEntry[] = [];
    const reporter = new StepReporter(memoryLog(), (entry) => rows.push(entry));
    for (const reason of reasons) reporter.holds('web', [{ kind: 'hold', reason }]);
    return rows.map(({ reason }) => reason);
  };

  it('is told again when it is about more instances: they are not found sick in the same moment', () => {
    const two = '2 of 3 instances are unhealthy at once: none is replaced';
    const three = '3 of 3 instances are unhealthy at once: none is replaced';
    assert.deepEqual(tell(two, two, three, three), [two, three]);
  });

  it('is told once while the seconds count and the room changes', () => {
    const waits = (seconds: number) => `the last try failed (no image); the next one is in ${seconds} s`;
    const room = (free: string) => `no capacity: lab has ${free} of memory free of 8 GB, 2 GB asked for`;
    const sick = (seconds: number) => `a is protected: it has not served for ${seconds} s`;
    assert.equal(tell(waits(4), waits(3), waits(2)).length, 1);
    assert.equal(tell(room('512 MB'), room('600 MB')).length, 1);
    assert.equal(tell(sick(31), sick(32)).length, 1);
  });
});
