// `berth doctor`: looks at everything that has to be right, and says of each what was seen and how to mend it. It
// changes nothing.
import { readFileSync } from 'node:fs';
import { describeError } from '../../../shared/errors.ts';
import { ApiClient, apiOptions, type Environment } from '../api-client.ts';
import type { Format, Output } from '../output.ts';
import { readServeConfig } from '../serve-command.ts';
import { showCell } from '../table.ts';
import { checkDocker } from './check-docker.ts';
import { checkHaproxys } from './check-haproxy.ts';
import { checkCoordinator, checkDatabase } from './check-surroundings.ts';
import { broken, doubtful, type Finding } from './finding.ts';
import { lintHaproxyConfig } from './lint-haproxy-config.ts';

export interface DoctorOptions {
  url?: string;
  output: Format;
  /** The coordinator's configuration file. */
  config?: string;
  haproxyConfig?: string;
}

/** False when a check failed. */
export async function runDoctor(options: DoctorOptions, env: Environment, output: Output): Promise<boolean> {
  const { config, problems, warnings } = readServeConfig(options.config, env);
  const findings: Finding[] = [
    ...problems.map((problem) => broken('configuration', problem, 'see docs/configuration.md')),
    ...warnings.map((warning) => doubtful('configuration', warning, 'see docs/configuration.md')),
  ];
  if (options.haproxyConfig !== undefined)
    findings.push(...lintFile(options.haproxyConfig, config?.nodeCount, config?.mode));
  if (config !== undefined) {
    const { backend, slotPrefix: prefix, nodeCount: count, mode } = config;
    findings.push(...(await checkHaproxys(config.haproxys, { backend, prefix, count, mode })));
    findings.push(await checkDatabase(config));
  }
  findings.push(...(await checkCoordinator(new ApiClient(apiOptions(options.url, env)))));
  findings.push(...(await checkDocker(config?.dockerHosts, env)));
  output.write(
    options.output === 'json'
      ? `${JSON.stringify({ items: findings.map(toJson) }, null, 2)}\n`
      : formatFindings(findings),
  );
  return findings.every(({ status }) => status !== 'fail');
}

function lintFile(
  path: string,
  count: number | undefined,
  mode: 'template' | 'dynamic' | undefined,
): Finding[] {
  try {
    return lintHaproxyConfig(path, readFileSync(path, 'utf8'), count, mode);
  } catch (error) {
    return [
      broken(path, `it cannot be read: ${describeError(error)}`, 'give the path of a readable haproxy.cfg'),
    ];
  }
}

function toJson({ check, status, seen, mend }: Finding) {
  return { check, status, seen, mend: mend ?? null };
}

/** One line for each check, the mend below it. */
export function formatFindings(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ check, status, seen, mend }) => [
    `${status.padEnd(4)}  ${showCell(check)}: ${showCell(seen)}`,
    ...(mend === undefined || mend === '' ? [] : [`      mend: ${showCell(mend)}`]),
  ]);
  const count = (status: Finding['status']) => findings.filter((finding) => finding.status === status).length;
  return `${lines.join('\n')}\n\n${count('ok')} ok, ${count('warn')} to think about, ${count('fail')} failed\n`;
}
