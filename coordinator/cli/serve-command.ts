// `berth serve`: reads the configuration, makes the log, and turns signals into an orderly end.
import { readFileSync } from 'node:fs';
import { describeError } from '../../shared/errors.ts';
import { type ConfigReading, readConfig } from '../config/read-config.ts';
import { createLog } from '../log.ts';
import type { Environment } from './api-client.ts';
import { exitCodes } from './exit-codes.ts';
import type { Output } from './output.ts';

const lingerMs = 500;

export function readServeConfig(file: string | undefined, env: Environment): ConfigReading {
  return readConfig({
    env,
    path: file ?? (env['BERTH_CONFIG'] || undefined),
    readFile: (path) => readFileSync(path, 'utf8'),
  });
}

/** Returns the exit code. A second signal ends at once. */
export async function runServe(file: string | undefined, env: Environment, output: Output): Promise<number> {
  const { config, problems, warnings } = readServeConfig(file, env);
  if (config === undefined) {
    for (const problem of problems) output.warn(`berth: ${problem}\n`);
    return exitCodes.usage;
  }
  const { log, flush } = createLog(config.logLevel, config.name);
  process.on('exit', flush);
  for (const warning of warnings) log.warn({ event: 'config.doubted' }, warning);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(exitCodes.failed);
      stop.abort(signal);
    });
  }
  process.on('uncaughtException', (error) => {
    log.error(
      { event: 'coordinator.crashed', error: error.stack },
      `a fault of the coordinator's own: ${error.message}`,
    );
    process.exit(exitCodes.failed);
  });
  const { serve } = await import('../serve.ts');
  try {
    await serve(config, log, stop.signal);
    // All is said and written. A connection to what does not answer must not keep the program.
    setTimeout(() => process.exit(exitCodes.ok), lingerMs).unref();
    return exitCodes.ok;
  } catch (error) {
    output.warn(`berth: ${describeError(error)}\n`);
    return exitCodes.usage;
  }
}
