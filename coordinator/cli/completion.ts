// `berth completion bash`: made from the commands themselves.
import type { Command } from 'commander';

export function bashCompletion(program: Command): string {
  const cases = program.commands.map((command) => {
    const words = command.options
      .flatMap((option) => [option.short, option.long])
      .filter((word) => word !== undefined);
    const values = command.options
      .filter((option) => option.argChoices !== undefined)
      .map(
        (option) =>
          `${[option.short, option.long].filter(Boolean).join('|')}) words='${option.argChoices?.join(' ')}' ;;`,
      );
    const byValue = values.length === 0 ? '' : `case "$before" in ${values.join(' ')} esac`;
    return `    ${command.name()}) words='${[...words, '--help'].join(' ')}'; ${byValue} ;;`;
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
