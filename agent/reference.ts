// The tables of variables in docs/agent.md. Pure.
import { describeDefault } from './help.ts';
import { sections, type Variable } from './variables.ts';

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
