// `berth completion bash`: made from the commands themselves. For a group the words are its commands and all their options.
import type { Command, Option } from 'commander';

export function bashCompletion(program: Command): string {
  const cases = program.commands.map((command) => {
    const options = [command, ...command.commands].flatMap((each) => each.options);
    const words = new Set([
      ...command.commands.map((each) => each.name()),
      ...options.flatMap((option) => [option.short, option.long]).filter((word) => typeof word === 'string'),
      '--help',
    ]);
    const values = [...new Set(options.flatMap(choicesOf))];
    const byValue = values.length === 0 ? '' : `case "$before" in ${values.join(' ')} esac`;
    return `    ${command.name()}) words='${[...words].join(' ')}'; ${byValue} ;;`;
  });
  const names = program.commands.map((command) => command.name()).join(' ');
  return `# berth completion bash > /etc/bash_completion.d/berth
_berth() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words='${names}'
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words='' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _berth berth
`;
}

function choicesOf({ argChoices, short, long }: Option): string[] {
  if (argChoices === undefined) return [];
  return [`${[short, long].filter(Boolean).join('|')}) words='${argChoices.join(' ')}' ;;`];
}
