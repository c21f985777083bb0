// A pause after our own actions, per direction. Going up looks back at the last step up only, so an up during a down cooldown is always
// allowed; going down looks back at the last step in either direction.

/** Milliseconds left of a cooldown that began `ageMs` ago; null: it never did. */
export function cooldownRemaining(cooldownMs: number, ageMs: number | null): number {
  return ageMs === null ? 0 : Math.max(0, cooldownMs - ageMs);
}

export type Cooldowns = { readonly upMs: number; readonly downMs: number };
export type LastActions = { readonly upAgeMs: number | null; readonly downAgeMs: number | null };

export function cooldownFor(direction: 'up' | 'down', cooldowns: Cooldowns, last: LastActions): number {
  if (direction === 'up') return cooldownRemaining(cooldowns.upMs, last.upAgeMs);
  const ages = [last.upAgeMs, last.downAgeMs].filter((age) => age !== null);
  return cooldownRemaining(cooldowns.downMs, ages.length === 0 ? null : Math.min(...ages));
}
