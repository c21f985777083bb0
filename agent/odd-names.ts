// Variables whose names a shell could not write (`discovery.type`, `FOO-BAR`). dash and BusyBox's ash drop them, so they
// are led around each shell on the way to the app. /berth/entrypoint is one: it hands its own environment on in hex, in
// BERTH_APP_ENVIRON, or says there which names are lost. Pure.

export function isOddName(name: string): boolean {
  return !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

export type HandedOn = { kind: 'whole'; odd: Record<string, string> } | { kind: 'lost'; names: string[] };

/** Reads BERTH_APP_ENVIRON: `/proc/PID/environ` in hex, or `lost NAME NAME…`. Undefined when it is neither. */
export function parseEnviron(text: string): HandedOn | undefined {
  const lost = /^lost (.*)$/s.exec(text)?.[1];
  if (lost !== undefined) return { kind: 'lost', names: lost.split(' ').filter((name) => name !== '') };
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) return undefined;
  const odd: Record<string, string> = {};
  for (const entry of Buffer.from(text, 'hex').toString().split('\0')) {
    const end = entry.indexOf('=');
    if (end > 0 && isOddName(entry.slice(0, end))) odd[entry.slice(0, end)] = entry.slice(end + 1);
  }
  return { kind: 'whole', odd };
}
