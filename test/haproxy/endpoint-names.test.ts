// Names of HAProxys: what they stand for, and how they are followed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HaproxyLinks } from '../../agent/haproxy-links.ts';
import { SlotKeeper } from '../../coordinator/slots/slot-keeper.ts';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { parseEndpoints, resolveEndpoints, spellEndpoints } from '../../shared/haproxy/endpoint.ts';
import { EndpointNames } from '../../shared/haproxy/endpoint-names.ts';
import { until } from '../bench/wait.ts';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const never = new Promise<never>(() => undefined);
/** Nothing is ever over: what a name holds up stays held up. */
const patient: Clock = {
  ...systemClock,
  sleep: async (_, signal) => {
    if (signal?.aborted !== true) await new Promise((resolve) => signal?.addEventListener('abort', resolve));
  },
};

test('several addresses are several HAProxys, of one family only', () => {
  const [lb] = parseEndpoints('lb:99', 9999);
  assert.ok(lb);
  const spelt = (...addresses: string[]) => spellEndpoints(lb, addresses).map(({ name }) => name);
  assert.deepEqual(spelt(), ['lb:99']);
  assert.deepEqual(spelt('10.0.0.1'), ['lb:99']);
  assert.deepEqual(spelt('fd00::1'), ['lb:99']);
  assert.deepEqual(spelt('10.0.0.2', '10.0.0.1', '10.0.0.2'), ['10.0.0.1:99', '10.0.0.2:99']);
  assert.deepEqual(spelt('fd00::2', 'fd00::1'), ['[fd00::1]:99', '[fd00::2]:99']);
  // Two HAProxys with an A and an AAAA record each are two, not four.
  assert.deepEqual(spelt('fd00::1', '10.0.0.1', 'fd00::2', '10.0.0.2'), ['10.0.0.1:99', '10.0.0.2:99']);
  assert.deepEqual(spelt('fd00::1', '10.0.0.1', '10.0.0.2'), ['10.0.0.1:99', '10.0.0.2:99']);
  assert.deepEqual(spelt('fd00::1', 'fd00::2', '10.0.0.1'), ['lb:99']);
});

test('localhost is one HAProxy under its name, whatever it resolves to', async () => {
  const [localhost] = parseEndpoints('localhost', 9999);
  assert.ok(localhost);
  assert.deepEqual(spellEndpoints(localhost, ['127.0.0.1', '::1']), [localhost]);
  assert.deepEqual(spellEndpoints(localhost, ['::1']), [localhost]);
});

test('a certificate is checked against the name; addresses and sockets are not looked up', async () => {
  const lookup = async () => ['10.0.0.1', '10.0.0.2'];
  const resolved = await resolveEndpoints(parseEndpoints('lb,10.0.0.9:98,[::1]:97,/run/cli', 99), lookup);
  assert.deepEqual(
    resolved.map(({ name, serverName }) => [name, serverName]),
    [
      ['10.0.0.1:99', 'lb'],
      ['10.0.0.2:99', 'lb'],
      ['10.0.0.9:98', undefined],
      ['[::1]:97', undefined],
      ['/run/cli', undefined],
    ],
  );
});

test('what is found counts at once; what fails or hangs stays as it was, is told, and is not asked twice', async () => {
  const { signal } = new AbortController();
  const answers = new Map<string, Promise<string[]>>();
  const asked: string[] = [];
  const failed: string[] = [];
  let found = 0;
  const names = new EndpointNames(parseEndpoints('slow,quick,gone,10.0.0.1', 99), {
    clock: { ...systemClock, sleep: async () => undefined },
    lookup: (host) => {
      asked.push(host);
      return answers.get(host) ?? Promise.reject(new Error('ENOTFOUND'));
    },
    onFound: () => {
      found += 1;
    },
    onFailed: (host, error) => failed.push(`${host}: ${error}`),
  });
  const all = () => names.all.map(({ name }) => name);
  assert.deepEqual(all(), ['10.0.0.1:99']);
  let late: (addresses: string[]) => void = quiet;
  answers.set(
    'slow',
    new Promise((resolve) => {
      late = resolve;
    }),
  );
  answers.set('quick', Promise.resolve(['10.0.0.1', '10.0.0.2']));
  await names.look(signal);
  await until(() => found === 1, { what: 'the quick one' });
  // The address that is given by itself as well is one HAProxy.
  assert.deepEqual(all(), ['10.0.0.1:99', '10.0.0.2:99']);
  assert.deepEqual(failed.toSorted(), ['gone: ENOTFOUND', 'slow: no answer within 2000 ms']);
  await names.look(signal);
  assert.equal(asked.filter((host) => host === 'slow').length, 1);
  late(['10.0.0.3']);
  await until(() => all().includes('slow:99'), { what: 'the late answer' });
  answers.clear();
  await names.look(signal);
  assert.deepEqual(all().sort(), ['10.0.0.1:99', '10.0.0.2:99', 'slow:99']);
});

test('an agent has its link to each HAProxy that is found while another name hangs', async () => {
  const linked: string[] = [];
  const attended = new Map<string, boolean>();
  let late: (addresses: string[]) => void = quiet;
  const slow = new Promise<string[]>((resolve) => {
    late = resolve;
  });
  const ending = new AbortController();
  const links = new HaproxyLinks(parseEndpoints('slow,quick,10.0.0.1', 99), {
    log,
    clock: patient,
    lookup: (host) => (host === 'quick' ? Promise.resolve(['10.0.0.2']) : slow),
    connect: (endpoint) => {
      linked.push(endpoint.name);
      const registration = {
        set attended(value: boolean) {
          attended.set(endpoint.name, value);
        },
      };
      return { report: () => ({ error: undefined }), registration, end: async () => undefined };
    },
    onChange: quiet,
  });
  const running = links.run(ending.signal);
  await until(() => linked.length === 2, { what: 'two links' });
  assert.deepEqual(linked.sort(), ['10.0.0.1:99', 'quick:99']);
  // One that comes later knows that there is a coordinator.
  links.attended = true;
  late(['10.0.0.3']);
  await until(() => linked.length === 3, { what: 'the third link' });
  assert.deepEqual(
    [...attended].sort(),
    [...linked].sort().map((name) => [name, true]),
  );
  ending.abort();
  await running;
});

test('an app that ends before the names are found leaves those HAProxys in order too', async () => {
  let late: (addresses: string[]) => void = quiet;
  const slow = new Promise<string[]>((resolve) => {
    late = resolve;
  });
  const ended: string[] = [];
  const stop = new AbortController();
  const links = new HaproxyLinks(parseEndpoints('slow,10.0.0.1', 99), {
    log,
    clock: patient,
    lookup: () => slow,
    connect: ({ name }) => {
      const end = async () => void ended.push(name);
      return { report: () => ({ error: undefined }), registration: { attended: false }, end };
    },
    onChange: quiet,
  });
  const running = links.run(stop.signal);
  const ending = links.end('the app ended');
  // What is known is not held up by what is not.
  await until(() => ended.length === 1, { what: 'the known one is ended' });
  assert.deepEqual(ended, ['10.0.0.1:99']);
  late(['10.0.0.2']);
  await ending;
  assert.ok(ended.includes('slow:99'));
  stop.abort();
  await running;
});

test('the coordinator keeps each HAProxy that is found while another name hangs', async () => {
  const ending = new AbortController();
  const keeper = new SlotKeeper({
    haproxys: parseEndpoints('slow,quick,127.0.0.1', 1),
    slotPrefix: 'node',
    intervalMs: 1000,
    registry: { list: () => [], onChange: () => quiet },
    audit: { record: async () => undefined },
    log,
    clock: patient,
    lookup: (host) => (host === 'quick' ? Promise.resolve(['127.0.0.2']) : never),
  });
  const running = keeper.run(ending.signal);
  await until(() => keeper.haproxys().length === 2, { what: 'two keepers' });
  assert.deepEqual(
    keeper
      .haproxys()
      .map(({ name }) => name)
      .sort(),
    ['127.0.0.1:1', 'quick:1'],
  );
  ending.abort();
  await running;
});
