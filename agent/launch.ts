// How the app is started so that it finds what it would have found without the agent. Pure.
//
//   limit of open files   Node raises its own soft limit to the hard one and children inherit it; programs that use
//                         select(), or close all descriptors one by one, fail or crawl with a high one. A shell puts
//                         the given limit back (where there is a shell). Variables that a shell would drop go around
//                         it: prlimit needs none, or env sets them again behind it.
//   death of the agent    With BERTH_ON_AGENT_EXIT=stop the app must not live on alone. As process 1, or as the child
//                         of process 1, the agent takes the whole container with it. Elsewhere the kernel is asked to
//                         send the app SIGTERM (PR_SET_PDEATHSIG), by setpriv, or by tini as its parent.
//   process group         With BERTH_SIGNAL_GROUP=1 the app gets a session of its own. That would take its terminal
//                         away, so at a terminal it does not.
import { isOddName } from './odd-names.ts';
import type { Surroundings } from './surroundings.ts';

export interface Launch {
  file: string;
  args: string[];
  /** A session and process group of its own. */
  group: boolean;
  /** What is started is tini, and the app is its child. */
  underTini: boolean;
  /** What could not be had, one line each, with the mend. */
  advice: string[];
}

/** `setpriv` is one that knows --pdeathsig. */
export type Helper = 'setpriv' | 'tini' | 'sh' | 'env' | 'prlimit';

export function planLaunch(
  app: { command: string; args: readonly string[]; env: Readonly<Record<string, string>> },
  wishes: { diesWithAgent: boolean; group: boolean },
  here: Surroundings,
  has: (program: Helper) => boolean,
): Launch {
  let words = [app.command, ...app.args];
  const advice: string[] = [];
  const group = wishes.group && !here.atTerminal;
  if (wishes.group && here.atTerminal) {
    advice.push('BERTH_SIGNAL_GROUP=1 is not followed at a terminal: a session of its own would lose it');
  }
  let underTini = false;
  const containerDiesToo = here.pid === 1 || here.parentPid === 1;
  if (wishes.diesWithAgent && !containerDiesToo) {
    if (has('setpriv')) words = ['setpriv', '--pdeathsig', 'TERM', '--', ...words];
    else if (has('tini')) {
      words = ['tini', '-s', ...(group ? ['-g'] : []), '-p', 'SIGTERM', '--', ...words];
      underTini = true;
    } else {
      advice.push(
        'if the agent is killed the app lives on: BERTH_ON_AGENT_EXIT=stop needs the setpriv of util-linux, or tini, here, since the agent is not the main process of a container',
      );
    }
  }
  const files = here.openFiles;
  if (files !== undefined && files.parent < files.own) {
    const odd = Object.entries(app.env).filter(([name]) => isOddName(name));
    const shell = ['sh', '-c', 'ulimit -Sn "$0" && exec "$@"', String(files.parent)];
    const stays = (why: string) =>
      advice.push(
        `the app may open ${files.own} files instead of ${files.parent}: Node raises the limit, and ${why}`,
      );
    if (odd.length > 0 && has('prlimit')) words = ['prlimit', `--nofile=${files.parent}:`, '--', ...words];
    else if (!has('sh')) stays('without a shell it cannot be put back');
    else if (odd.length === 0) words = [...shell, ...words];
    else if (has('env') && words[0]?.includes('=') !== true)
      words = [...shell, 'env', '--', ...odd.map(([name, value]) => `${name}=${value}`), ...words];
    else {
      const names = odd.map(([name]) => name).join(', ');
      stays(`without prlimit or env the shell that puts it back would drop ${names}`);
    }
  }
  const [file = app.command, ...args] = words;
  return { file, args, group, underTini, advice };
}
