import { run } from '../../coordinator/cli/program.ts';

export interface BerthResult {
  code: number;
  out: string;
  errors: string;
}

/** Runs one command line of `berth` in this process. */
export async function runBerth(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<BerthResult> {
  let out = '';
  let errors = '';
  const output = {
    write: (text: string) => {
      out += text;
    },
    warn: (text: string) => {
      errors += text;
    },
  };
  const code = await run(args, env, output);
  return { code, out, errors };
}
