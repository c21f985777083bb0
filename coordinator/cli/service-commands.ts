// `berth services | scale | pause | resume | why | drain | undrain`: what is wanted, why, and saying otherwise.
import { InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import { agentSchema, auditRowSchema } from '../api/schemas.ts';
import { decisionSchema, type instanceSchema, serviceSchema } from '../api/service-views.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, type Common, durationText } from './command-context.ts';
import type { Listing } from './list-commands.ts';
import { writeJson, writeList } from './output.ts';
import { sizeBar } from './size-bar.ts';
import { type Column, formatSpan, formatTable, showCell } from './table.ts';

type Service = z.infer<typeof serviceSchema>;
type Instance = z.infer<typeof instanceSchema>;
type Agent = z.infer<typeof agentSchema>;
type Decision = z.infer<typeof decisionSchema>;

export function addServiceCommands(context: CommandContext): void {
  const { output } = context;
  context
    .addClient(
      'services',
      'every service: how many there are, how many are wanted, why',
      'berth services web',
    )
    .argument('[service]', 'one service, with its instances')
    .action(async (name: string | undefined, common: Common) => showServices(context.listing(common), name));

  context
    .addClient(
      'scale',
      'set the number of instances by hand',
      'berth scale web 6 --for 30m\nberth scale web auto\nberth scale web 2 --dry-run',
    )
    .argument('<service>')
    .argument('<replicas>', 'how many, or `auto`: what the policy says', replicasOrAuto)
    .option('--for <duration>', 'for so long; without it, until it is taken back', durationText)
    .option('--dry-run', 'change nothing, and show the steps that this would mean')
    .action(
      async (
        name: string,
        replicas: number | null,
        { for: span, dryRun = false, ...common }: Common & { for?: string; dryRun?: boolean },
      ) => {
        const body = { replicas, by: context.user, dryRun, ...(span === undefined ? {} : { for: span }) };
        const service = await post(context.api(common), name, 'scale', body);
        if (common.output === 'json') return writeJson(output, service);
        if (dryRun) {
          output.write(`${service.service}: ${service.current} there, with ${service.wanted} wanted:\n`);
          output.write(formatPlan(service) || '  nothing to do\n');
          return;
        }
        output.write(replicas === null ? `${name}: the policy decides again\n` : `${scaled(service)}\n`);
      },
    );

  context
    .addClient('pause', 'hold the number of instances', 'berth pause web --mode in --for 2h')
    .argument('<service>')
    .addOption(
      new Option('--mode <mode>', 'not down (in), not up (out), or neither')
        .choices(['in', 'out', 'both'])
        .default('both'),
    )
    .option('--for <duration>', 'for so long; without it, until `berth resume`', durationText)
    .action(async (name: string, { mode, for: span, ...common }: Common & { mode: string; for?: string }) => {
      const body = { mode, by: context.user, ...(span === undefined ? {} : { for: span }) };
      const service = await post(context.api(common), name, 'pause', body);
      if (common.output === 'json') return writeJson(output, service);
      output.write(`${name}: paused (${mode})${untilText(service.pause?.until)}\n`);
    });

  context
    .addClient('resume', 'end a pause, and a number that was set by hand', 'berth resume web')
    .argument('<service>')
    .action(async (name: string, common: Common) => {
      const service = await post(context.api(common), name, `resume?by=${encodeURIComponent(context.user)}`);
      if (common.output === 'json') return writeJson(output, service);
      output.write(`${name}: goes on\n`);
    });

  context
    .addClient(
      'why',
      'why a service has the size that it has: its last change and its last hold',
      'berth why web',
    )
    .argument('<service>')
    .action(async (name: string, common: Common) => showWhy(context.listing(common), name));

  const drained =
    (leave: boolean) =>
    async (name: string, { reason, ...common }: Common & { reason: string }) => {
      const api = context.api(common);
      const { id } = await findAgent(api, name);
      const agent = await api.send('POST', `/api/v1/agents/${encodeURIComponent(id)}/drain`, agentSchema, {
        drain: leave,
        reason,
        by: context.user,
      });
      if (common.output === 'json') return writeJson(output, agent);
      output.write(
        `${id}: was told to ${leave ? 'leave traffic' : 'come back'} (\`berth agents\` shows when it has)\n`,
      );
    };
  context
    .addClient('drain', 'take an instance out of traffic; nothing is stopped', 'berth drain web-3')
    .argument('<agent>', 'its id, or its container: name, id (its beginning) or host name')
    .option('--reason <text>', 'why, for the audit', 'drained by an operator')
    .action(drained(true));
  context
    .addClient('undrain', 'give a drained instance back to traffic', 'berth undrain web-3')
    .argument('<agent>', 'its id, or its container: name, id (its beginning) or host name')
    .option('--reason <text>', 'why, for the audit', 'called back by an operator')
    .action(drained(false));
}

function replicasOrAuto(text: string): number | null {
  if (text === 'auto') return null;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give a whole number from 0 on, or `auto`.');
}

function post(api: ApiClient, name: string, verb: string, body?: object): Promise<Service> {
  return api.send('POST', `/api/v1/services/${encodeURIComponent(name)}/${verb}`, serviceSchema, body);
}

function scaled({ service, wanted, current, override }: Service): string {
  return `${service}: ${wanted} wanted, ${current} there${untilText(override?.until)}`;
}

function untilText(until: unknown): string {
  return typeof until === 'string' ? `, until ${until}` : '';
}

const serviceColumns: Column<Service>[] = [
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'SIZE', cell: sizeBar },
  { title: 'CURRENT', cell: ({ current }) => current },
  { title: 'SERVING', cell: ({ serving }) => serving },
  { title: 'WANTED', cell: ({ wanted }) => wanted },
  { title: 'BY', cell: ({ wantedBy }) => wantedBy },
  { title: 'POLICY', cell: ({ policy }) => policy },
  { title: 'PAUSED', cell: ({ pause }) => (pause === null ? null : String(pause['mode'])) },
  { title: 'WHY', cell: ({ why }) => why },
];

const instanceColumns: Column<Instance>[] = [
  { title: 'INSTANCE', cell: ({ name }) => name },
  { title: 'CONTAINER', cell: ({ container }) => container.slice(0, 12) },
  { title: 'HOST', cell: ({ host }) => host },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'SERVING', cell: ({ serving }) => (serving ? 'yes' : 'no') },
  { title: 'SESSIONS', cell: ({ sessions }) => sessions },
  { title: 'AGENT', cell: ({ agent }) => agent },
];

async function showServices({ api, output, format }: Listing, name: string | undefined): Promise<void> {
  if (name === undefined) {
    const services = await api.list('/api/v1/services', serviceSchema, new URLSearchParams());
    writeList(output, format, services, serviceColumns, 'No service is known.');
    return;
  }
  const service = await api.get(`/api/v1/services/${encodeURIComponent(name)}`, serviceSchema);
  if (format === 'json') return writeJson(output, service);
  output.write(formatTable([service], serviceColumns));
  output.write(formatPlan(service));
  if (service.instances.length > 0) output.write(`\n${formatTable(service.instances, instanceColumns)}`);
}

function formatPlan({ plan }: Service): string {
  return plan
    .map(({ step, instance, reason }) => [step, instance, `(${reason})`].filter(Boolean).join(' '))
    .map((text) => `  planned: ${showCell(text)}\n`)
    .join('');
}

async function showWhy({ api, output, format }: Listing, name: string): Promise<void> {
  const service = await api.get(`/api/v1/services/${encodeURIComponent(name)}`, serviceSchema);
  const query = new URLSearchParams({ service: name });
  const decisions = await api.list('/api/v1/decisions', decisionSchema, query, 200);
  const change = decisions.find(({ action }) => action !== 'none');
  const hold = decisions.find(({ action }) => action === 'none');
  const acts = new URLSearchParams({ service: name, event: 'scale.*', outcome: 'ok' });
  // What was decided in an earlier run of the coordinator, and what people have set, is in the audit.
  const [act] = await api.list('/api/v1/audit', auditRowSchema, acts, 1);
  if (format === 'json')
    return writeJson(output, { service, change: change ?? null, hold: hold ?? null, act: act ?? null });
  output.write(formatWhy(service, { change, hold, act }, Date.now()));
}

export interface Told {
  change: Decision | undefined;
  hold: Decision | undefined;
  /** The newest row of the audit that is about the size. */
  act: z.infer<typeof auditRowSchema> | undefined;
}

export function formatWhy(service: Service, { change, hold, act }: Told, now: number): string {
  const { wanted, wantedBy, why, current } = service;
  const ago = (at: string) => `${formatSpan(Math.max(0, now - Date.parse(at)))} ago`;
  const lines = [
    `${service.service}: ${current} there, ${wanted === null ? 'no number is wanted' : `${wanted} wanted by ${wantedBy || 'nobody'}: ${why}`}`,
  ];
  if (service.pause !== null)
    lines.push(`paused (${service.pause['mode']}) by ${service.pause.by}${untilText(service.pause.until)}`);
  if (change !== undefined) lines.push('', `last change, ${ago(change.at)}:`, indented(change.explanation));
  if (act !== undefined && (change === undefined || Date.parse(act.at) > Date.parse(change.at) + 1000)) {
    const from = act.from === null ? '' : `${act.from} -> `;
    const size = act.to === null ? '' : ` ${from}${act.to}`;
    lines.push(
      '',
      `last act of the audit, ${ago(act.at)}:`,
      indented(`${act.event}${size} by ${act.actor}: ${act.reason}`),
    );
  }
  if (hold !== undefined) lines.push('', `last hold, ${ago(hold.at)}:`, indented(hold.explanation));
  if (change === undefined && hold === undefined)
    lines.push(
      '',
      service.policy === null
        ? 'no policy: the size changes by hand only'
        : 'its policy was not evaluated yet',
    );
  return `${lines.join('\n')}\n`;
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${showCell(line)}`)
    .join('\n');
}

async function findAgent(api: ApiClient, name: string): Promise<Agent> {
  const agents = await api.list('/api/v1/agents', agentSchema, new URLSearchParams());
  const exact = agents.filter(({ id }) => id === name);
  const containers = exact.length > 0 ? [] : await containersCalled(api, name);
  const found =
    exact.length > 0
      ? exact
      : agents.filter(
          (agent) =>
            isContainer(agent, name) || (agent.container !== null && containers.includes(agent.container)),
        );
  const [agent, second] = found;
  if (agent === undefined)
    throw new BerthError('not-found', `no agent ${name} is known, and none in a container of that name`, {
      hint: '`berth agents` lists them, and `berth services SERVICE` the containers of a service',
    });
  if (second !== undefined)
    throw new BerthError('request.invalid', `${name} may be ${found.map(({ id }) => id).join(' or ')}`, {
      hint: 'give the id of the agent, or more of the container id',
    });
  return agent;
}

/** Ids of containers that Docker calls so. */
async function containersCalled(api: ApiClient, name: string): Promise<string[]> {
  const services = await api.list('/api/v1/services', serviceSchema, new URLSearchParams());
  return services.flatMap(({ instances }) =>
    instances.filter((each) => each.name === name).map(({ container }) => container),
  );
}

function isContainer({ container, hostname }: Agent, name: string): boolean {
  return hostname === name || (/^[0-9a-f]{4,64}$/.test(name) && container?.startsWith(name) === true);
}
