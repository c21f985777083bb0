/** `usage` is sysexits' EX_USAGE: what was asked or configured cannot be. */
export const exitCodes = { ok: 0, failed: 1, usage: 64 } as const;
