// The help text, with the table of variables. Pure.
import { sections, type Variable } from './variables.ts';

export function describeDefault(variable: Variable): string {
  if (variable.default !== undefined) return `\`${variable.default}\``;
  if (variable.fallback !== undefined) return `\`$${variable.fallback}\``;
  return variable.required ? 'required' : '';
}

export function formatHelp(version: string): string {
  const lines = [
    `berth agent ${version}`,
    '',
    'node agent.cjs -- COMMAND ARGS…   run the app, and keep it in a slot of HAProxy',
    'node agent.cjs                    sidecar: the app runs beside, in the same network namespace',
    'node agent.cjs health             exit 0 when the app answers (for HEALTHCHECK)',
    '',
    'Variables (secrets also as …_FILE):',
  ];
  for (const { title, variables } of Object.values(sections)) {
    lines.push('', `${title}:`);
    for (const variable of Object.values<Variable>(variables)) {
      const text = describeDefault(variable).replaceAll('`', '');
      const also = text === '' ? '' : ` (${text})`;
      lines.push(`  ${variable.name.padEnd(27)} ${variable.description.replaceAll('`', '')}${also}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
