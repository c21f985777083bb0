// `berth alerts`: the inbox, what fires now, and silences. `berth report`: the audit added up.
import { Option } from 'commander';
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import { alertRowSchema, silenceSchema } from '../api/alerts-routes.ts';
import { type reportLineSchema, reportSchema, type usageSchema } from '../api/report-routes.ts';
import { type CommandContext, type Common, durationText, wholeNumber } from './command-context.ts';
import { parseInstant } from './list-commands.ts';
import { writeJson, writeList } from './output.ts';
import { type Column, formatTable } from './table.ts';

type Row = z.infer<typeof alertRowSchema>;
type Silence = z.infer<typeof silenceSchema>;
const liveSchema = alertRowSchema.extend({ silencedBy: silenceSchema.nullable() });
const columns: Column<Row>[] = [
  { title: 'RECEIVED', cell: ({ receivedAt }) => receivedAt },
  { title: 'ALERT', cell: ({ name }) => name },
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'ACTION', cell: ({ action }) => action },
  { title: 'STATUS', cell: ({ status }) => status },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'HEARD', cell: ({ repeats }) => repeats + 1 },
  { title: 'REASON', cell: ({ reason }) => reason },
];
const silenceColumns: Column<Silence>[] = [
  { title: 'SILENCE', cell: ({ id }) => id },
  {
    title: 'MATCHES',
    cell: ({ match }) =>
      Object.entries(match)
        .map((pair) => pair.join('='))
        .join(' '),
  },
  { title: 'UNTIL', cell: ({ until }) => until },
  { title: 'BY', cell: ({ by }) => by },
  { title: 'WHY', cell: ({ why }) => why },
];
const matchNames = ['service', 'name', 'severity', 'action', 'container', 'fingerprint'] as const;
type Match = Partial<Record<(typeof matchNames)[number], string>>;

export function addAlertCommands(context: CommandContext): void {
  const { output } = context;
  const group = context.addGroup('alerts', 'the inbox of alerts, what fires now, and silences');
  const under = (name: string, description: string, example: string) =>
    context.addClient(name, description, example, group);
  under('list', 'the inbox, newest first', 'berth alerts --service web')
    .option('--service <name>', 'of this service')
    .option('--state <state>', 'in this state, such as failed')
    .option('-n, --limit <rows>', 'at most so many, the newest', wholeNumber, 50)
    .action(
      async ({
        service,
        state,
        limit,
        ...common
      }: Common & { service?: string; state?: string; limit: number }) => {
        const filter = {
          ...(service === undefined ? {} : { service }),
          ...(state === undefined ? {} : { state }),
        };
        const rows = await context
          .api(common)
          .list('/api/v1/alerts', alertRowSchema, new URLSearchParams(filter), limit);
        writeList(output, common.output, rows, columns, 'No alert was received.');
      },
    );

  under('live', 'alerts that fire now', 'berth alerts live').action(async (common: Common) => {
    const { items } = await context
      .api(common)
      .get('/api/v1/alerts/live', z.object({ items: z.array(liveSchema) }));
    const silenced: Column<z.infer<typeof liveSchema>> = {
      title: 'SILENCED BY',
      cell: ({ silencedBy }) => silencedBy?.id ?? null,
    };
    writeList(output, common.output, items, [...columns.slice(0, 6), silenced], 'No alert fires.');
  });

  under('silences', 'silences that are not over', 'berth alerts silences').action(async (common: Common) => {
    const { items } = await context
      .api(common)
      .get('/api/v1/silences', z.object({ items: z.array(silenceSchema) }));
    writeList(output, common.output, items, silenceColumns, 'Nothing is silenced.');
  });

  const silence = under(
    'silence',
    'keep matching alerts from acting for a time',
    "berth alerts silence --service web --for 2h --why 'load test'",
  );
  for (const name of matchNames)
    silence.option(`--${name} <pattern>`, `of this ${name}; a * at the end stands for any rest`);
  silence
    .requiredOption('--for <duration>', 'for so long', durationText)
    .requiredOption('--why <text>', 'why, for the audit')
    .action(
      async ({
        for: span,
        why,
        url,
        output: format,
        ...match
      }: Common & Match & { for: string; why: string }) => {
        if (Object.keys(match).length === 0)
          throw new BerthError('config.invalid', 'nothing says which alerts are meant', {
            hint: "add --service NAME, or --name '*' for all",
          });
        const body = { match, for: span, why, by: context.user };
        const set = await context
          .api(url === undefined ? {} : { url })
          .send('POST', '/api/v1/silences', silenceSchema, body);
        if (format === 'json') writeJson(output, set);
        else output.write(formatTable([set], silenceColumns));
      },
    );

  under('unsilence', 'end a silence now', 'berth alerts unsilence 3f2a')
    .argument('<silence>', 'its id')
    .action(async (id: string, common: Common) => {
      const query = new URLSearchParams({ by: context.user });
      await context
        .api(common)
        .send('DELETE', `/api/v1/silences/${encodeURIComponent(id)}?${query}`, z.undefined());
      if (common.output === 'json') writeJson(output, { ended: id });
      else output.write(`${id}: is over\n`);
    });

  context
    .addClient(
      'report',
      'what was done, added up; or what is used of what is reserved',
      'berth report --by hour --since 24h',
    )
    .addOption(
      new Option('--by <what>', 'one line for each')
        .choices(['service', 'policy', 'hour', 'usage'])
        .default('service'),
    )
    .option('--since <time>', 'from this time on, or a span: 24h')
    .option('--until <time>', 'before this time, or a span')
    .action(async ({ by, since, until, ...common }: Common & { by: By; since?: string; until?: string }) => {
      const query = new URLSearchParams();
      for (const [name, text] of [
        ['since', since],
        ['until', until],
      ] as const)
        if (text !== undefined) query.set(name, parseInstant(`--${name}`, text, Date.now()));
      const report = await context.api(common).get(`/api/v1/report?${query}`, reportSchema);
      const empty = 'Nothing to report.';
      if (by === 'usage')
        writeList(
          output,
          common.output,
          report.usage,
          usageColumns,
          'No policy reads CPU or memory of containers with limits.',
        );
      else writeList(output, common.output, report[lines[by]], lineColumns(by), empty);
    });
}

type By = 'service' | 'policy' | 'hour' | 'usage';
const lines = { service: 'byService', policy: 'byPolicy', hour: 'byHour' } as const;

function lineColumns(by: string): Column<z.infer<typeof reportLineSchema>>[] {
  return [
    { title: by.toUpperCase(), cell: ({ key }) => key },
    { title: 'UPS', cell: ({ ups }) => ups },
    { title: 'ADDED', cell: ({ added }) => added },
    { title: 'DOWNS', cell: ({ downs }) => downs },
    { title: 'REMOVED', cell: ({ removed }) => removed },
    { title: 'FAILED', cell: ({ failures }) => failures },
    { title: 'HELD', cell: ({ held }) => held },
    { title: 'ROWS', cell: ({ rows }) => rows },
    {
      title: 'MOST OFTEN',
      cell: ({ reasons: [reason], events: [event] }) => reason?.reason ?? event?.event ?? null,
    },
  ];
}

const usageColumns: Column<z.infer<typeof usageSchema>>[] = [
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'METRIC', cell: ({ metric }) => metric },
  { title: 'INSTANCES', cell: ({ instances }) => instances },
  { title: 'USED', cell: ({ used }) => Math.round(used) },
  { title: 'RESERVED', cell: ({ reserved }) => Math.round(reserved) },
  { title: 'PERCENT', cell: ({ percent }) => percent },
];
