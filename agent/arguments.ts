// The agent's command line.

export type Invocation =
  | { kind: 'wrap'; command: string; args: string[] }
  | { kind: 'sidecar' }
  /** The sidecar that the agent starts itself for BERTH_ON_AGENT_EXIT=keep. */
  | { kind: 'guarded' }
  | { kind: 'health' }
  | { kind: 'help' }
  | { kind: 'version' }
  | { kind: 'wrong'; problem: string };

/** Reads what follows `node agent.cjs`. */
export function parseArguments(args: readonly string[]): Invocation {
  const [first, ...rest] = args;
  if (first === undefined) return { kind: 'sidecar' };
  if (first === '--') {
    const [command, ...its] = rest;
    if (command === undefined || command === '') {
      return {
        kind: 'wrong',
        problem: 'no command after --: give the app, or leave out -- for sidecar mode',
      };
    }
    return { kind: 'wrap', command, args: its };
  }
  if (rest.length > 0) return { kind: 'wrong', problem: `put -- before the command: -- ${args.join(' ')}` };
  switch (first) {
    case 'health':
    case 'guarded':
      return { kind: first };
    case '--help':
    case '-h':
      return { kind: 'help' };
    case '--version':
    case '-v':
      return { kind: 'version' };
    default:
      return {
        kind: 'wrong',
        problem: `${JSON.stringify(first)} is neither health, --help, --version nor --: for an app give -- ${first}`,
      };
  }
}
