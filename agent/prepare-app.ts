// How this app is to be started here.
import { readFileSync } from 'node:fs';
import type { AppStart } from './app-process.ts';
import { appEnvironment, type Config } from './config.ts';
import { findProgram } from './find-program.ts';
import { planLaunch } from './launch.ts';
import { adviseOn, readSurroundings } from './surroundings.ts';

/** What to start, and what is wrong with the surroundings, one line each. */
export function prepareApp(
  app: { command: string; args: readonly string[] },
  settings: Config['app'],
): { start: AppStart; advice: string[] } {
  const env = appEnvironment(process.env);
  const here = readSurroundings();
  const has = (program: string) => {
    const found = findProgram(program, env['PATH']);
    return found.kind === 'found' && (program !== 'setpriv' || canSetDeathSignal(found.path));
  };
  const about = adviseOn(here);
  const { environ } = settings;
  if (environ?.kind === 'lost') {
    about.push(
      `the app does without ${environ.names.join(', ')}: the entrypoint's shell drops such names, and cannot hand on more than 64 KB, nor anything without od: start the agent as in an image without a shell`,
    );
  }
  // What cannot be started is started as it is, so that the error is about it and not about what is put before it.
  if (findProgram(app.command, env['PATH']).kind !== 'found') {
    const start = { ...app, file: app.command, env, group: false, underTini: false };
    return { start, advice: about };
  }
  const wishes = { diesWithAgent: settings.onAgentExit === 'stop', group: settings.signalGroup };
  const { advice, ...launch } = planLaunch({ ...app, env }, wishes, here, has);
  return { start: { ...launch, command: app.command, env }, advice: [...about, ...advice] };
}

/**
 * BusyBox's setpriv, and those before util-linux 2.33, do not know --pdeathsig, and would end with a usage error. One that
 * does has the word in it: reading 50 KB is a tenth of what asking it costs an agent's start.
 */
function canSetDeathSignal(setpriv: string): boolean {
  try {
    return readFileSync(setpriv).includes('pdeathsig');
  } catch {
    return false; // it may be executed and not read
  }
}
