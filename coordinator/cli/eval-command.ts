// `berth eval`, as a command. What it does is loaded when it is asked for: with it come the clients of all sources.
import { type CommandContext, count, urlOption } from './command-context.ts';
import { readPolicy } from './read-policy.ts';
import type { EvalFlags } from './run-eval.ts';

export function addEvalCommand(context: CommandContext): void {
  context
    .addShown(
      'eval',
      'read the sources of a policy once and say what it would decide now; nothing is changed',
      'berth eval web.yaml --service web\nberth eval web.yaml --replicas 4 --backend app',
    )
    .argument('<file>', 'policy file')
    .option('--policy <name>', 'the policy, when the file has several')
    .option('--service <name>', "the service (the policy's own)")
    .option(
      '--backend <name>',
      "its backend in HAProxy (the one in which its agents are, else the service's name)",
    )
    .option(
      '--replicas <n>',
      'how many instances there are, all of them ready; the coordinator is not asked',
      count,
    )
    .option('-c, --config <file>', 'configuration file of the coordinator (BERTH_CONFIG)')
    .addOption(urlOption())
    .action(async (file: string, flags: EvalFlags) => {
      const { runEval } = await import('./run-eval.ts');
      context.judge(await runEval(readPolicy(file, flags.policy), flags, context));
    });
}
