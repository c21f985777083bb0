// `berth simulate`: a policy against a load in virtual time, beside another one; or against decisions that were made.
import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { z } from 'zod';
import { BerthError, describeError } from '../../shared/errors.ts';
import type { AdmittedPolicy } from '../policy/normalize.ts';
import {
  type Compared,
  compare,
  loadSpan,
  presetRival,
  presetRivals,
  type Rival,
} from '../simulate/comparison.ts';
import { summaryColumns } from '../simulate/format-summary.ts';
import { parseTrace } from '../simulate/parse-trace.ts';
import { parseRecords, type Replayed, replayRecords } from '../simulate/replay-records.ts';
import { chooseModel, type ServiceModel } from '../simulate/service-model.ts';
import { formatSvg } from '../simulate/svg-chart.ts';
import { chartTop, formatMoment, formatTextChart } from '../simulate/text-chart.ts';
import { madeTrace, type Trace, type TraceName, traceNames } from '../simulate/trace.ts';
import { type CommandContext, count, milliseconds, positive, urlOption } from './command-context.ts';
import { type Format, type Output, writeJson, writeList } from './output.ts';
import { readPolicy, readText } from './read-policy.ts';
import { type Column, formatTable, showCell } from './table.ts';

export interface SimulateFlags {
  policy?: string;
  load: string;
  against?: string;
  startTime?: number;
  capacity?: number;
  peak?: number;
  duration?: number;
  seed: number;
  forget?: true;
  svg?: string;
  replay?: string;
  replayService?: string;
  url?: string;
  output: Format;
}

export function addSimulateCommand(context: CommandContext): void {
  const { output } = context;
  context
    .addShown(
      'simulate',
      'try a policy on a load in virtual time, or on decisions that were made; nothing is changed',
      'berth simulate web.yaml --load spike --against hpa --svg web.svg\nberth simulate web.yaml --load recorded.csv\nberth simulate web.yaml --replay-service web',
    )
    .argument('<file>', 'policy file')
    .option('--policy <name>', 'the policy, when the file has several')
    .option('--load <name|file>', `${traceNames.join(', ')}; or a recording as .csv or .json`, 'step')
    .option('--against <file|preset>', `a second policy beside it: a file, or ${presetRivals.join(' or ')}`)
    .option('--start-time <duration>', 'from the decision until an instance serves (8s)', milliseconds)
    .option(
      '--capacity <load>',
      'load per second that one instance can serve (a quarter above its target)',
      positive,
    )
    .option(
      '--peak <load>',
      'highest load per second (what 10 instances, or 80 % of the maximum, should get)',
      positive,
    )
    .option('--duration <duration>', 'length of a made load', milliseconds)
    .option('--seed <number>', "of the load's noise", count, 1)
    .option('--forget', 'a restart loses what the policy remembers')
    .option('--svg <file>', 'write a chart there')
    .addOption(
      new Option(
        '--replay <file>',
        'decide again from decision records: an answer of /api/v1/decisions',
      ).conflicts('replayService'),
    )
    .option(
      '--replay-service <name>',
      'decide again from the latest decisions of this service at the coordinator',
    )
    .addOption(urlOption())
    .action(async (file: string, flags: SimulateFlags) => {
      const admitted = readPolicy(file, flags.policy);
      const records = await readRecords(context, flags);
      if (records === null) simulateFile(admitted, flags, output);
      else showReplay(replayRecords(records, admitted.policy), flags, output);
    });
}

function simulateFile(admitted: AdmittedPolicy, flags: SimulateFlags, output: Output): void {
  const model = chooseModel(admitted, {
    ...(flags.capacity === undefined ? {} : { capacity: flags.capacity }),
    ...(flags.startTime === undefined ? {} : { startMs: flags.startTime }),
  });
  const trace = readTrace(admitted, model, flags);
  const own: Rival = { title: admitted.policy.name, admitted, options: {} };
  const rivals = flags.against === undefined ? [own] : [own, readRival(flags.against, admitted, model)];
  const compared = compare(rivals, trace, model, { seed: flags.seed, keepsState: flags.forget !== true });
  if (flags.svg !== undefined) writeChart(flags.svg, formatSvg(trace, compared));
  if (flags.output === 'json') {
    const { name, durationMs, disturbances } = trace;
    writeJson(output, {
      load: { name, durationMs, disturbances },
      model,
      policies: compared.map(({ title, simulation }) => ({ title, ...simulation })),
    });
    return;
  }
  output.write(formatCompared(trace, model, compared));
  if (flags.svg !== undefined) output.write(`\nchart: ${flags.svg}\n`);
}

const columns: Column<Compared>[] = [
  { title: 'POLICY', cell: ({ title }) => title },
  { title: 'EVERY', cell: ({ simulation }) => `${simulation.intervalMs / 1000}s` },
  ...summaryColumns.map(({ title, cell }) => ({
    title,
    cell: ({ simulation }: Compared) => cell(simulation.summary),
  })),
];

export function formatCompared(trace: Trace, model: ServiceModel, compared: readonly Compared[]): string {
  const rounded = (value: number) => Number(value.toPrecision(6));
  const top = chartTop(compared.map(({ simulation }) => simulation.samples));
  const charts = compared.map(
    ({ title, simulation }) => `${showCell(title)}\n${formatTextChart(simulation, trace, top)}`,
  );
  return [
    `load ${showCell(trace.name)} for ${formatMoment(trace.durationMs)}; one instance serves ${rounded(model.capacity)} a second, ${rounded(model.unit)} at its target, after ${model.startMs / 1000}s\n`,
    ...charts,
    formatTable(compared, columns),
  ].join('\n');
}

function readTrace(
  admitted: AdmittedPolicy,
  model: ServiceModel,
  { load, peak, duration }: SimulateFlags,
): Trace {
  const name = traceNames.find((each): each is TraceName => each === load);
  if (name !== undefined) return madeTrace(name, loadSpan(admitted, model, peak), duration);
  if (/\.(?:csv|json)$/.test(load)) return parseTrace(readText(load), load);
  throw new BerthError('config.invalid', `--load is ${JSON.stringify(load)}, which is no load`, {
    hint: `choose one of ${traceNames.join(', ')}, or give a .csv or .json file`,
  });
}

function readRival(against: string, admitted: AdmittedPolicy, model: ServiceModel): Rival {
  const preset = presetRivals.find((each) => each === against);
  if (preset !== undefined) return presetRival(preset, admitted, model);
  const other = readPolicy(against, undefined);
  return {
    title:
      other.policy.name === admitted.policy.name ? `${other.policy.name} (${against})` : other.policy.name,
    admitted: other,
    options: {},
  };
}

function writeChart(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new BerthError('config.invalid', `--svg: ${describeError(error)}`, { cause: error });
  }
}

async function readRecords(context: CommandContext, { replay, replayService, url }: SimulateFlags) {
  if (replay !== undefined) return parseRecords(readJson(replay), replay);
  if (replayService === undefined) return null;
  const api = context.api(url === undefined ? {} : { url });
  const query = new URLSearchParams({ service: replayService });
  const items = await api.list('/api/v1/decisions', z.unknown(), query, 1000);
  return parseRecords(items, `${api.url}/api/v1/decisions`);
}

function readJson(file: string): unknown {
  const text = readText(file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BerthError('config.invalid', `${file} is not JSON: ${describeError(error)}`, { cause: error });
  }
}

const replayColumns: Column<Replayed>[] = [
  { title: 'TIME', cell: ({ wallMs }) => new Date(wallMs).toISOString() },
  { title: 'SIZE', cell: ({ from }) => from },
  { title: 'WAS', cell: ({ was }) => was.to },
  { title: 'REASON', cell: ({ was }) => was.reason },
  { title: 'WOULD BE', cell: ({ would }) => would.to },
  { title: 'REASON', cell: ({ would }) => would.reason },
  { title: '', cell: ({ differs }) => (differs ? 'differs' : 'same') },
];

function showReplay(replayed: readonly Replayed[], { output: format }: SimulateFlags, output: Output): void {
  writeList(output, format, replayed, replayColumns, 'There is no decision to replay.');
  if (format === 'json' || replayed.length === 0) return;
  const differing = replayed.filter(({ differs }) => differs);
  output.write(`\n${differing.length} of ${replayed.length} would have come out another way\n`);
  for (const { would } of differing) output.write(`  ${showCell(would.headline)}\n`);
}
