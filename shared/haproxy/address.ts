// IP addresses as HAProxy shows them, so that texts can be compared: `set server … addr FD00:0::1` is shown as `fd00::1`
// from 2.9 on, and what is looked for as `FD00:0::1` would never be found again.
import { isIP, isIPv6, SocketAddress } from 'node:net';

/** The one spelling of an address; IPv4-mapped IPv6 as the IPv4 address that it means. No address stays as it is. */
export function plainAddress(address: string): string {
  // The colon first: rows are compared by the thousand, and most are IPv4.
  if (!address.includes(':') || address.includes('%') || !isIPv6(address)) return address;
  const plain = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1] ?? plain;
}

export const isUnspecified = (address: string): boolean =>
  address === '' || address === '-' || address === '0.0.0.0' || plainAddress(address) === '::';

/**
 * True for an address that a server may have. A zone (fe80::1%eth0) means nothing on HAProxy's machine, and a connection
 * to 0.0.0.0 reaches HAProxy itself.
 */
export const isServerAddress = (address: string): boolean =>
  isIP(address) !== 0 && !address.includes('%') && !isUnspecified(address);
