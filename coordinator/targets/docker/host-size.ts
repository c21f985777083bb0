// Room on a host: what its machine has, as far as it is known, and what its running containers are promised together;
// those of others count too, since they have the same memory. Pure.
import type { Built } from './build-instances.ts';
import { readState, takesRoom } from './instance.ts';
import { nothingReserved, type Reservation } from './reservation.ts';

export interface HostSize {
  readonly machine: Reservation;
  readonly promised: { readonly memoryBytes: number; readonly cpuMilli: number };
}

export const unknownSize: HostSize = {
  machine: nothingReserved,
  promised: { memoryBytes: 0, cpuMilli: 0 },
};

export function readSize(machine: Reservation, built: ReadonlyMap<string, Pick<Built, 'parts'>>): HostSize {
  let memoryBytes = 0;
  let cpuMilli = 0;
  for (const { parts } of built.values()) {
    if (!takesRoom(readState(parts.listed.State))) continue;
    memoryBytes += parts.details.reservation.memoryBytes ?? 0;
    cpuMilli += parts.details.reservation.cpuMilli ?? 0;
  }
  return { machine, promised: { memoryBytes, cpuMilli } };
}
