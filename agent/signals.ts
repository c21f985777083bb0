// Which signals the agent passes on, and what it makes of them.
//
// Passed on is what tini passes on: everything but SIGCHLD and those that tell of a fault in the process itself. A
// listener also keeps the signal from acting on the agent: without one USR1 would open Node's inspector, TTIN and TTOU
// would stop it, and USR2 or ALRM would end it. Real-time signals cannot be listened to in Node.
import { constants } from 'node:os';

export const forwardedSignals: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGSTKFLT',
  'SIGCONT',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  'SIGWINCH',
  'SIGIO',
  'SIGPWR',
];

/** `stop` first leaves traffic; `ignore` has reached the app already; `forward` goes straight on. */
export type SignalMeaning = 'stop' | 'forward' | 'ignore';

const stopping: ReadonlySet<string> = new Set(['SIGTERM', 'SIGINT', 'SIGQUIT']);
const typed: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGWINCH']);

/**
 * `atTerminal`: the agent and the app are the terminal's foreground group, so what is typed (Ctrl-C, Ctrl-\, Ctrl-Z)
 * and a new window size reach the app without the agent. Passed on they would arrive twice, and a drain would end a
 * shell whose user only cleared a line.
 */
export function meaningOf(signal: NodeJS.Signals, atTerminal: boolean): SignalMeaning {
  if (atTerminal && typed.has(signal)) return 'ignore';
  return stopping.has(signal) ? 'stop' : 'forward';
}

/** The exit code that shells, tini and Docker give to a process that died of a signal. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
