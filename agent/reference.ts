// The table of variables for people: the help text and docs/agent.md. Pure.
import { sections, type Variable } from './variables.ts';

function describeDefault(variable: Variable): string {
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

/** The tables of docs/agent.md, which a test compares with the page. */
export function formatReference(): string {
  const parts: string[] = [];
  for (const { title, variables } of Object.values(sections)) {
    parts.push(`### ${title}`, '');
    parts.push('| variable | meaning | value | default |', '| --- | --- | --- | --- |');
    for (const variable of Object.values<Variable>(variables)) {
      const file = variable.fromFile === true ? ` Also \`${variable.name}_FILE\`.` : '';
      const cells = [
        `\`${variable.name}\``,
        `${variable.description}.${file}`,
        variable.type.expects,
        describeDefault(variable),
      ];
      parts.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
    }
    parts.push('');
  }
  return parts.join('\n').trimEnd();
}
