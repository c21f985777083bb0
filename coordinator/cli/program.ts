// The commands and their options. Each action returns its exit code to `run`; what it does is in its own file.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { BerthError, describeError } from '../../shared/errors.ts';
import { version } from '../../shared/version.ts';
import { ApiClient, apiOptions, type Environment } from './api-client.ts';
import { bashCompletion } from './completion.ts';
import { type DoctorOptions, runDoctor } from './doctor/doctor-command.ts';
import { exitCodes } from './exit-codes.ts';
import { listAgents, listAudit, listHaproxys, listSlots, parseInstant } from './list-commands.ts';
import type { Format, Output } from './output.ts';
import { runServe } from './serve-command.ts';
import { showHealth, showStatus } from './status-command.ts';

type Filter = Record<string, string>;
interface Common {
  url?: string;
  output: Format;
}

/** Runs one command line (without the program's name) and returns the exit code. */
export async function run(args: readonly string[], env: Environment, output: Output): Promise<number> {
  let code: number = exitCodes.ok;
  const program = createProgram(env, output, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    // commander has written its own message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    output.warn(`berth: ${describeError(error)}\n`);
    return error instanceof BerthError && error.code === 'config.invalid'
      ? exitCodes.usage
      : exitCodes.failed;
  }
}

export function createProgram(env: Environment, output: Output, finish: (code: number) => void): Command {
  const program = new Command('berth')
    .description('Autoscaling and ingress for plain Docker behind HAProxy')
    .version(version, '-V, --version')
    .exitOverride()
    .showHelpAfterError('(berth --help lists the commands)')
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: (text) => output.warn(text) });
  const add = (name: string, description: string): Command => program.command(name).description(description);
  const client = (
    name: string,
    description: string,
    formats: readonly string[] = ['table', 'json'],
  ): Command =>
    add(name, description)
      .addOption(new Option('--url <url>', 'address of the coordinator (BERTH_URL, else this machine)'))
      .addOption(new Option('-o, --output <format>', 'how to write').choices(formats).default('table'));
  const api = ({ url }: { url?: string }) => new ApiClient(apiOptions(url, env));
  const listing = (common: Common) => ({ api: api(common), output, format: common.output });
  const judge = (fine: boolean) => finish(fine ? exitCodes.ok : exitCodes.failed);

  add('serve', 'run the coordinator')
    .option('-c, --config <file>', 'configuration file (BERTH_CONFIG)')
    .action(async ({ config }: { config?: string }) => finish(await runServe(config, env, output)));

  add('health', 'exit 0 when the coordinator is alive: for HEALTHCHECK')
    .option('--url <url>', 'address of the coordinator (BERTH_URL, else this machine)')
    .option('--ready', 'also when it can do its work')
    .action(async (given: { url?: string; ready?: true }) =>
      judge(await showHealth(api(given), output, given.ready === true)),
    );

  client('status', 'how the coordinator, its HAProxys and its agents are').action(async (common: Common) =>
    judge(await showStatus(listing(common))),
  );

  client('slots', 'who is in which slot')
    .option('-a, --all', 'free slots too')
    .option('--haproxy <name>', 'of this HAProxy')
    .option('--backend <name>', 'of this backend')
    .option('--service <name>', 'of this service')
    .option('--agent <id>', 'of this agent')
    .addOption(
      new Option('--state <state>', 'in this state').choices(['ready', 'drain', 'maint', 'down', 'free']),
    )
    .action(async ({ url, output: format, all, ...filter }: Common & { all?: true } & Filter) => {
      const every = all === true || filter['state'] === 'free';
      await listSlots(listing({ ...(url === undefined ? {} : { url }), output: format }), every, filter);
    });

  client('agents', 'every agent that is known')
    .option('--service <name>', 'of this service')
    .addOption(
      new Option('--phase <phase>', 'in this phase').choices([
        'starting',
        'ready',
        'unready',
        'draining',
        'stopping',
      ]),
    )
    .action(async ({ url, output: format, ...filter }: Common & Filter) => {
      await listAgents(listing({ ...(url === undefined ? {} : { url }), output: format }), filter);
    });

  client('haproxys', 'every HAProxy').action(async (common: Common) => listHaproxys(listing(common)));

  client('audit', 'what was done, when, to what, why', ['table', 'json', 'csv'])
    .option('--event <event>', 'a whole event, or the start of several: slot.*')
    .option('--service <name>', 'of this service')
    .option('--agent <id>', 'of this agent')
    .option('--slot <name>', 'of this slot')
    .option('--haproxy <name>', 'of this HAProxy')
    .option('--backend <name>', 'of this backend')
    .option('--since <time>', 'from this time on, or a span: 1h')
    .option('--until <time>', 'before this time, or a span')
    .option('-n, --limit <rows>', 'at most so many rows, the newest', wholeNumber, 50)
    .action(async (given: Omit<Common, 'output'> & { output: Format | 'csv'; limit: number } & Filter) => {
      const { url, output: format, limit, ...filter } = given;
      for (const name of ['since', 'until']) {
        const text = filter[name];
        if (typeof text === 'string') filter[name] = parseInstant(`--${name}`, text, Date.now());
      }
      const target = api(url === undefined ? {} : { url });
      await listAudit({ api: target, output, format }, filter as Filter, limit);
    });

  client('doctor', 'check everything that has to be right, and say how to mend it; changes nothing')
    .option('-c, --config <file>', 'configuration file of the coordinator (BERTH_CONFIG)')
    .option('--haproxy-config <file>', 'read this haproxy.cfg for known traps too')
    .action(async (options: DoctorOptions) => judge(await runDoctor(options, env, output)));

  const completion = add('completion', 'completion for a shell');
  completion
    .command('bash')
    .description('for bash')
    .action(() => output.write(bashCompletion(program)));
  return program;
}

function wholeNumber(text: string): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return value;
}
