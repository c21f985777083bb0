// The address to probe before HAProxy has been reached once and the one to register is known.
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

export type Interfaces = Record<
  string,
  Pick<NetworkInterfaceInfo, 'address' | 'family' | 'internal'>[] | undefined
>;

/** This machine's first address: IPv4 before IPv6, loopback last. */
export const localAddress = (): string => chooseLocalAddress(networkInterfaces());

/** An IPv6 address that means nothing without its interface is none. Pure. */
export function chooseLocalAddress(interfaces: Interfaces): string {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ address }) => !/^fe[89ab]/i.test(address));
  const first = (family: 'IPv4' | 'IPv6', internal: boolean) =>
    usable.find((each) => each.family === family && each.internal === internal)?.address;
  return (
    first('IPv4', false) ?? first('IPv6', false) ?? first('IPv4', true) ?? first('IPv6', true) ?? '127.0.0.1'
  );
}
