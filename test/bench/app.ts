// The test app (app.mjs) as a local process.
import { join } from 'node:path';
import { type Running, startProcess } from './processes.ts';

/** The app's file, for a container or another command. */
export const appFile = join(import.meta.dirname, 'app.mjs');

export interface App extends Running {
  readonly port: number;
  readonly url: string;
}

export interface AppOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default a free one. */
  readonly port?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts the app and resolves when it listens. */
export async function startApp({ host = '127.0.0.1', port = 0, env = {} }: AppOptions = {}): Promise<App> {
  const running = await startProcess(process.execPath, [appFile], {
    env: { ...env, HOST: host, PORT: String(port) },
    name: 'app',
  });
  const line = await running.waitForLine(/listening on \d+/, 70_000);
  const actual = Number(/\d+$/.exec(line)?.[0]);
  return { ...running, port: actual, url: `http://${host}:${actual}` };
}
