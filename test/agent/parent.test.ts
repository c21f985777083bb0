// The parent with a double for the half that deals with HAProxy: what it does when that half has a fault.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attachment, Parent } from '../../agent/parent.ts';
import { systemClock } from '../../shared/clock.ts';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const start = { command: 'sleep', file: 'sleep', args: ['60'], env: {}, group: false, underTini: false };

function parentOf(attachment: Partial<Attachment>, onAttached: (parent: Parent) => void) {
  const whole: Attachment = {
    start: quiet,
    note: quiet,
    leave: async () => undefined,
    end: async () => undefined,
    ...attachment,
  };
  const parent: Parent = new Parent(
    { drainTimeout: 60_000, stopTimeout: 5000 },
    {
      log,
      clock: systemClock,
      makeAttachment: async () => {
        setImmediate(() => onAttached(parent));
        return whole;
      },
    },
  );
  return parent;
}

test('a fault while leaving keeps neither the signal from the app nor the exit code from the agent', async () => {
  const fault = async () => {
    throw new Error('a bug');
  };
  const parent = parentOf({ leave: fault, end: fault }, (it) => it.receive('SIGTERM'));
  assert.equal(await parent.run(start), 143);
});

test('a second signal ends the waiting for a leave that hangs', async () => {
  const leave: Attachment['leave'] = (_reason, _budget, skip) =>
    new Promise((resolve) => skip.addEventListener('abort', () => resolve(), { once: true }));
  const parent = parentOf({ leave }, (it) => {
    it.receive('SIGTERM');
    it.receive('SIGINT');
  });
  assert.equal(await parent.run(start), 130);
});
