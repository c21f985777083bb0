// The commands and their options. Each action returns its exit code to `run`; what it does is in its own file.
import { Command, CommanderError, Option } from 'commander';
import { BerthError, describeError } from '../../shared/errors.ts';
import { version } from '../../shared/version.ts';
import { addAlertCommands } from './alert-commands.ts';
import type { Environment } from './api-client.ts';
import { CommandContext, type Common, outputOption, urlOption, wholeNumber } from './command-context.ts';
import { bashCompletion } from './completion.ts';
import { type DoctorOptions, runDoctor } from './doctor/doctor-command.ts';
import { addEvalCommand } from './eval-command.ts';
import { exitCodes } from './exit-codes.ts';
import {
  type AuditFormat,
  listAgents,
  listAudit,
  listHaproxys,
  listSlots,
  parseInstant,
} from './list-commands.ts';
import type { Output } from './output.ts';
import { addPolicyCommands } from './policy-commands.ts';
import { runServe } from './serve-command.ts';
import { addServiceCommands } from './service-commands.ts';
import { addSimulateCommand } from './simulate-command.ts';
import { showHealth, showStatus } from './status-command.ts';

type Filter = Record<string, string>;

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
  const context = new CommandContext(program, env, output, finish);

  context
    .add('serve', 'run the coordinator', 'berth serve --config /etc/berth/berth.yaml')
    .option('-c, --config <file>', 'configuration file (BERTH_CONFIG)')
    .action(async ({ config }: { config?: string }) => finish(await runServe(config, env, output)));

  context
    .add('health', 'exit 0 when the coordinator is alive: for HEALTHCHECK', 'berth health --ready')
    .addOption(urlOption())
    .option('--ready', 'also when it can do its work')
    .action(async (given: { url?: string; ready?: true }) =>
      context.judge(await showHealth(context.api(given), output, given.ready === true)),
    );

  context
    .addClient('status', 'how the coordinator, its HAProxys and its agents are', 'berth status')
    .action(async (common: Common) => context.judge(await showStatus(context.listing(common))));

  addListCommands(context);
  addServiceCommands(context);
  addPolicyCommands(context);
  addAlertCommands(context);
  addAuditCommand(context);
  addSimulateCommand(context);
  addEvalCommand(context);

  context
    .addClient(
      'doctor',
      'check everything that has to be right, and say how to mend it; changes nothing',
      'berth doctor --haproxy-config /etc/haproxy/haproxy.cfg',
    )
    .option('-c, --config <file>', 'configuration file of the coordinator (BERTH_CONFIG)')
    .option('--haproxy-config <file>', 'read this haproxy.cfg for known traps too')
    .action(async (options: DoctorOptions) => context.judge(await runDoctor(options, env, output)));

  context
    .addGroup('completion', 'completion for a shell')
    .command('bash')
    .description('for bash')
    .action(() => output.write(bashCompletion(program)));
  return program;
}

function addListCommands(context: CommandContext): void {
  context
    .addClient('slots', 'who is in which slot', 'berth slots --backend app --state ready')
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
      await listSlots(context.listing(commonOf(url, format)), every, filter);
    });

  context
    .addClient('agents', 'every agent that is known', 'berth agents --service web --phase draining')
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
      await listAgents(context.listing(commonOf(url, format)), filter);
    });

  context
    .addClient('haproxys', 'every HAProxy', 'berth haproxys')
    .action(async (common: Common) => listHaproxys(context.listing(common)));
}

function commonOf(url: string | undefined, output: Common['output']): Common {
  return { ...(url === undefined ? {} : { url }), output };
}

type AuditOptions = Omit<Common, 'output'> & {
  output: AuditFormat;
  limit: number;
  csv?: true;
  json?: true;
} & Record<string, unknown>;

function addAuditCommand(context: CommandContext): void {
  context
    .add(
      'audit',
      'what was done, when, to what, why',
      'berth audit --service web --since 1h\nberth audit --csv > audit.csv',
    )
    .addOption(urlOption())
    .addOption(outputOption(['table', 'json', 'csv']))
    .option('--event <event>', 'a whole event, or the start of several: slot.*')
    .option('--service <name>', 'of this service')
    .option('--policy <name>', 'by this policy')
    .option('--actor <name>', 'by this one')
    .option('--agent <id>', 'of this agent')
    .option('--container <id>', 'of this container')
    .option('--slot <name>', 'of this slot')
    .option('--haproxy <name>', 'of this HAProxy')
    .option('--backend <name>', 'of this backend')
    .addOption(new Option('--outcome <outcome>', 'that came out so').choices(['ok', 'failed', 'held']))
    .option('--since <time>', 'from this time on, or a span: 1h')
    .option('--until <time>', 'before this time, or a span')
    .option('-n, --limit <rows>', 'at most so many rows, the newest', wholeNumber, 50)
    .addOption(new Option('--csv', 'every row that matches, oldest first, as CSV').conflicts('json'))
    .option('--json', 'every row that matches, oldest first, as one JSON list')
    .action(async ({ url, output: format, limit, csv, json, ...given }: AuditOptions) => {
      const filter: Filter = {};
      for (const [name, text] of Object.entries(given)) {
        if (typeof text !== 'string') continue;
        filter[name] =
          name === 'since' || name === 'until' ? parseInstant(`--${name}`, text, Date.now()) : text;
      }
      const api = context.api(url === undefined ? {} : { url });
      const wanted = csv === true ? 'csv' : json === true ? 'all-json' : format;
      await listAudit({ api, output: context.output, format: wanted }, filter, limit);
    });
}
