// Reads what a coordinator sends. The schema is in shared/protocol.ts; it is spelled out here by hand because zod does
// not fit into the agent's bundle. A property test holds the two together.
import type { CoordinatorMessage } from '../shared/protocol.ts';

function isInteger(value: unknown, from: number, to: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to;
}

/** `unknown` is a message of a newer coordinator, to be ignored; undefined is garbage. */
export function parseCoordinatorMessage(text: string): CoordinatorMessage | 'unknown' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const message: Record<string, unknown> = { ...value };
  const { type, v, coordinator, heartbeatMs, drain, reason } = message;
  if (type === 'drain') {
    return typeof drain === 'boolean' && typeof reason === 'string' ? { type, drain, reason } : undefined;
  }
  if (type !== 'welcome') return typeof type === 'string' ? 'unknown' : undefined;
  const named = typeof coordinator === 'string' && coordinator.length >= 1 && coordinator.length <= 253;
  const version = isInteger(v, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  return named && version && isInteger(heartbeatMs, 100, 60_000)
    ? { type, v, coordinator, heartbeatMs }
    : undefined;
}
