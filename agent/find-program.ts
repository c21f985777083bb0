// Finds a program as execvp does, to say beforehand that it is missing.
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';

export type Found =
  | { kind: 'found'; path: string }
  | { kind: 'missing' }
  | { kind: 'not-executable'; path: string };

/** Looks for `name` in the directories of `path` (a PATH), or at `name` itself when it holds a slash. */
export function findProgram(name: string, path: string | undefined): Found {
  const places = name.includes('/')
    ? [resolve(name)]
    : (path ?? '/usr/local/bin:/usr/bin:/bin').split(':').map((directory) => resolve(directory, name));
  let blocked: string | undefined;
  for (const place of places) {
    try {
      if (statSync(place).isDirectory()) continue;
      blocked ??= place;
      accessSync(place, constants.X_OK);
      return { kind: 'found', path: place };
    } catch {
      // not here, or not executable: the next directory may have it
    }
  }
  return blocked === undefined ? { kind: 'missing' } : { kind: 'not-executable', path: blocked };
}
