// How this program is started once more.

/** build.ts says so in the bundle of the single-file executable, which is its own Node and has its flags inside. */
declare const BERTH_SINGLE_FILE: boolean | undefined;

export function ownCommand(...args: readonly string[]): { file: string; args: string[] } {
  const [, script = ''] = process.argv;
  const before = typeof BERTH_SINGLE_FILE === 'boolean' ? [] : [...process.execArgv, script];
  return { file: process.execPath, args: [...before, ...args] };
}
