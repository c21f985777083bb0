// The agent: the parent of an app container's process, or a sidecar, that keeps the app in a slot of HAProxy.
import { readFileSync } from 'node:fs';
import { systemClock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { version } from '../shared/version.ts';
import { type Invocation, parseArguments } from './arguments.ts';
import { readOwnCgroup } from './cgroup.ts';
import { type Config, readConfig } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import { type Identity, readIdentity } from './identity.ts';
import { listenToSignals } from './listen-to-signals.ts';
import { createLog } from './log.ts';
import { isOrder, type Report } from './orders.ts';
import type { Attachment } from './parent.ts';

async function main(): Promise<number> {
  const invocation = parseArguments(process.argv.slice(2));
  switch (invocation.kind) {
    case 'help': {
      const { formatHelp } = await import('./help.ts');
      process.stdout.write(formatHelp(version));
      return 0;
    }
    case 'version':
      process.stdout.write(`${version}\n`);
      return 0;
    case 'wrong':
      return refuse([invocation.problem]);
    case 'health':
    case 'sidecar':
    case 'guarded':
    case 'wrap':
      return withConfig(invocation);
  }
}

type Working = Extract<Invocation, { kind: 'health' | 'sidecar' | 'guarded' | 'wrap' }>;

async function withConfig(invocation: Working): Promise<number> {
  const { config, problems, warnings } = readConfig(process.env, (path) => readFileSync(path, 'utf8'));
  if (config === undefined) return refuse(problems);
  if (invocation.kind === 'health') return health(config);
  const identity = readIdentity(config.app.port);
  const log = createLog(config.agent.logLevel, identity.id);
  for (const warning of warnings) log.warn({ event: 'config.doubted' }, warning);
  surviveFaults(log);
  keepMemorySmall();
  if (invocation.kind === 'wrap') return wrap(invocation, config, identity, log);
  return sidecar(config, identity, invocation.kind === 'guarded', log);
}

/** Says what is wrong, one line each; also when the log is silent. */
function refuse(problems: readonly string[]): number {
  for (const problem of problems) process.stderr.write(`berth agent: ${problem}\n`);
  return exitCodes.usage;
}

/** A fault of the agent's own is reported and must not take the app down: parenthood goes on. */
function surviveFaults(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ event: 'agent.faulted', error: error.stack }, `a fault in the agent: ${error.message}`);
  });
}

/** Once it has started, and every minute. */
function keepMemorySmall(): void {
  const trim = async () => (await import('./trim-memory.ts')).trimMemory();
  setTimeout(trim, 3000).unref();
  setInterval(trim, 60_000).unref();
}

async function health(config: Config): Promise<number> {
  const { askHealth } = await import('./health.ts');
  const { healthy, line } = await askHealth(config.app.port);
  process.stdout.write(`${line}\n`);
  return healthy ? 0 : 1;
}

async function wrap(
  app: { command: string; args: string[] },
  config: Config,
  identity: Identity,
  log: Log,
): Promise<number> {
  const clock = systemClock;
  const { Parent } = await import('./parent.ts');
  const { prepareApp } = await import('./prepare-app.ts');
  const makeAttachment = async (onGiveUp: (reason: string) => void): Promise<Attachment> => {
    if (config.app.onAgentExit === 'keep') {
      const { GuardedAttachment } = await import('./guarded-attachment.ts');
      return new GuardedAttachment({ log, clock, onGiveUp });
    }
    const { HaproxyAttachment } = await import('./haproxy-attachment.ts');
    return new HaproxyAttachment(config, identity, { log, clock, onGiveUp, cgroup: readOwnCgroup });
  };
  const parent = new Parent(config.stop, { log, clock, makeAttachment });
  listenToSignals((signal) => parent.receive(signal));
  const { start, advice } = prepareApp(app, config.app);
  for (const line of advice) log.warn({ event: 'surroundings.doubted' }, line);
  const { clearAddress } = await import('./clear-address.ts');
  await clearAddress(config, log);
  return parent.run(start);
}

async function sidecar(config: Config, identity: Identity, guarded: boolean, log: Log): Promise<number> {
  const { Sidecar } = await import('./sidecar.ts');
  const tellParent = (report: Report) => void process.send?.(report, undefined, undefined, () => undefined);
  const parent = guarded ? tellParent : undefined;
  const running = new Sidecar(config, identity, parent, { log, clock: systemClock });
  listenToSignals((signal) => running.receive(signal));
  if (guarded) {
    process.on('message', (message) => {
      if (isOrder(message)) running.obey(message);
    });
    process.once('disconnect', () => running.becomeAlone());
    if (!process.connected) running.becomeAlone();
  }
  return running.run();
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`berth agent: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
