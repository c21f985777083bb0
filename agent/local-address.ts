// The address to probe before HAProxy has been reached once and the one to register is known.
import { networkInterfaces } from 'node:os';

/** This machine's first address that is not loopback, or 127.0.0.1. */
export function localAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find((each) => !each.internal && each.family === 'IPv4')?.address ?? '127.0.0.1';
}
