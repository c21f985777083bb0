// Where an app is probed while HAProxy has not told the address.
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { chooseLocalAddress, type Interfaces, localAddress } from '../../agent/local-address.ts';

const of = (...addresses: string[]): Interfaces[string] =>
  addresses.map((address) => ({
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    internal: address === '::1' || address.startsWith('127.'),
  }));

test('IPv4 before IPv6, none of one link only, loopback last', () => {
  const lo = of('127.0.0.1', '::1');
  const cases: [Interfaces, string][] = [
    [{ lo, eth0: of('fe80::1', 'fd00::2', '10.0.0.2') }, '10.0.0.2'],
    [{ lo, eth0: of('fd00::2'), eth1: of('10.0.0.2') }, '10.0.0.2'],
    [{ lo, eth0: of('FE80::1', 'fd00::2', 'fd00::3') }, 'fd00::2'],
    [{ lo, eth0: of('fe80::1') }, '127.0.0.1'],
    [{ lo: of('::1') }, '::1'],
    [{ lo: undefined }, '127.0.0.1'],
    [{}, '127.0.0.1'],
  ];
  for (const [interfaces, expected] of cases) assert.equal(chooseLocalAddress(interfaces), expected);
});

test('this machine has one', () => {
  assert.notEqual(isIP(localAddress()), 0);
});
