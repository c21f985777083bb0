import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { freePort, until } from './wait.ts';

test('until gives the first truthy value, and counts an error as not yet', async () => {
  let looks = 0;
  const look = () => {
    looks += 1;
    if (looks === 1) throw new Error('too early');
    return looks === 3 && { looks };
  };
  assert.deepEqual(await until(look, { what: 'the third look', everyMs: 1 }), { looks: 3 });
});

test('until says what it waited for and what it saw last', async () => {
  const never = until(() => 0, { what: 'pigs fly', deadlineMs: 30, everyMs: 5 });
  await assert.rejects(never, /waited 30 ms until pigs fly; last seen: 0/);
  const failing = until(() => Promise.reject(new Error('no wings')), { what: 'pigs fly', deadlineMs: 30 });
  await assert.rejects(failing, /last seen: an error: no wings/);
});

test('until ends at its deadline also when the condition hangs', async () => {
  const hanging = until(() => new Promise<boolean>(() => undefined), { what: 'an answer', deadlineMs: 30 });
  await assert.rejects(hanging, /did not return/);
});

test('a free port is given once, and can be listened on', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  assert.equal(new Set(ports).size, 50);
  const server = createServer().listen(ports[0], '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  server.close();
});
