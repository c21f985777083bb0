// What can be wrong with an HAProxy that answers, from what its Runtime API shows. Pure.
// The signs were read off HAProxy 2.6, 3.0 and 3.2: a template from an IP literal has no srv_fqdn; one with
// `init-addr none` has 0x20 in srv_admin_state, one without `disabled` lacks 0x04; without `check` srv_check_state lacks 0x02.
import { describeError, isBerthError } from '../../../shared/errors.ts';
import { dynamicAlgorithms } from '../../../shared/haproxy/dynamic-servers.ts';
import type { ProcessInfo, ServerRow, StatRow } from '../../../shared/haproxy/servers-state.ts';
import {
  countTemplates,
  findTemplate,
  isEnabled,
  isLoopback,
  type SlotTemplate,
  sideBackend,
  slotsOf,
} from '../../../shared/haproxy/slots.ts';
import { checkDynamic, dynamicBackends } from './check-dynamic.ts';
import { broken, doubtful, type Finding, fine } from './finding.ts';

export interface SlotsWanted {
  backend: string | undefined;
  prefix: string;
  /** NODE_COUNT; undefined when it was not given. */
  count: number | undefined;
  /** HAPROXY_MODE; default `template`. */
  mode?: 'template' | 'dynamic';
}

export interface HaproxySeen {
  name: string;
  info: ProcessInfo;
  /** The answer to `show cli level`. */
  level: string;
  rows: readonly ServerRow[];
  stats: readonly StatRow[];
}

const noAddress = 0x20;
const disabledInConfig = 0x04;
const checkConfigured = 0x02;
const clockToleranceSeconds = 5;

/** `wall` is this machine's time in milliseconds. */
export function checkSlots(seen: HaproxySeen, wanted: SlotsWanted, wall: number): Finding[] {
  const { name, info, rows, stats } = seen;
  const at = (what: string) => `haproxy ${name}: ${what}`;
  const general = [
    checkVersion(at('version'), info.version),
    checkLevel(at('access level'), seen.level),
    checkClock(at('clock'), info, wall),
  ];
  const added = dynamicBackends(rows);
  const hasTemplates = wanted.count !== undefined || countTemplates(rows, wanted.prefix).size > 0;
  if (wanted.mode === 'dynamic' || (added.length > 0 && !hasTemplates))
    return [...general, ...checkDynamic(at, rows, stats, wanted.backend)];
  const { templates, finding } = findSlots(at('slots'), rows, wanted);
  return [
    ...general,
    finding,
    ...added.flatMap((backend) => checkDynamic(at, rows, stats, backend)),
    ...templates.flatMap((template) =>
      checkTemplate(at(`backend ${template.backend}`), template, rows, stats),
    ),
  ];
}

function checkVersion(check: string, version: string): Finding {
  const match = /^(\d+)\.(\d+)/.exec(version);
  const major = Number(match?.[1]);
  const minor = Number(match?.[2]);
  if (match === null)
    return doubtful(check, `${JSON.stringify(version)}, which is no version`, 'use HAProxy 2.6 or later');
  if (major > 2 || (major === 2 && minor >= 6)) return fine(check, version);
  return broken(
    check,
    version,
    'use HAProxy 2.6 or later: earlier ones cannot add the rows that lock a slot',
  );
}

function checkLevel(check: string, level: string): Finding {
  if (level === 'admin') return fine(check, level);
  return broken(
    check,
    level,
    'set `level admin` on the stats socket that HAPROXY_SERVER and HAPROXY_PORT lead to',
  );
}

function checkClock(check: string, info: ProcessInfo, wall: number): Finding {
  const ahead = info.startTime + info.uptimeSeconds - wall / 1000;
  if (Math.abs(ahead) <= clockToleranceSeconds) return fine(check, 'the same as here');
  const apart = `${Math.round(Math.abs(ahead))} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine`;
  return doubtful(
    check,
    apart,
    'run a time service (chrony, systemd-timesyncd) on both: logs and audit are hard to compare otherwise',
  );
}

function findSlots(
  check: string,
  rows: readonly ServerRow[],
  wanted: SlotsWanted,
): { templates: SlotTemplate[]; finding: Finding } {
  const { backend, prefix, count } = wanted;
  const found = [...countTemplates(rows, prefix)].map(([name, slots]) => ({
    backend: name,
    prefix,
    count: slots,
  }));
  const templates = backend === undefined ? found : found.filter((template) => template.backend === backend);
  const list = templates
    .map((template) => `${template.backend}: ${prefix}1 to ${prefix}${template.count}`)
    .join(', ');
  if (count === undefined && templates.length > 0) {
    const single = templates.find((template) => template.count === 1);
    const finding =
      single === undefined
        ? fine(check, list)
        : doubtful(
            check,
            `${list}; backend ${single.backend} has one slot only`,
            'if more were meant: write the range of server-template with a plain hyphen, a dash from a web page gives one slot',
          );
    return { templates, finding };
  }
  try {
    const template = findTemplate(rows, { backend, prefix, count: count ?? 1 });
    const have = countTemplates(rows, prefix).get(template.backend) ?? 0;
    const more =
      have > template.count ? `; the template has ${have}, those above NODE_COUNT stay unused` : '';
    return { templates: [{ ...template, count: have }], finding: fine(check, `${list}${more}`) };
  } catch (error) {
    const mend = isBerthError(error) ? (error.hint ?? '') : '';
    const seen = isBerthError(error) ? error.message : describeError(error);
    return { templates, finding: broken(check, seen, mend) };
  }
}

function checkTemplate(
  check: string,
  template: SlotTemplate,
  rows: readonly ServerRow[],
  stats: readonly StatRow[],
): Finding[] {
  const slots = slotsOf(rows, template);
  const findings: Finding[] = [];
  const literal = slots.find((row) => !row.templated);
  if (literal !== undefined) {
    findings.push(
      doubtful(
        check,
        'its server-template has an IP address for a placeholder: after a restart a state file brings back port and state, but not the address',
        'write a name in the template: localhost:3128 in place of 127.0.0.1:3128',
      ),
    );
  }
  const fixed = slots.filter((row) => (row.adminState & noAddress) !== 0);
  if (fixed.length > 0) {
    findings.push(
      broken(
        check,
        `${fixed.length} slots have no address and take none: the template has \`init-addr none\`, or its name does not resolve`,
        'use `init-addr last,libc,none` with a name that resolves, such as localhost',
      ),
    );
  }
  if (slots.some((row) => (row.checkState & checkConfigured) === 0)) {
    findings.push(
      doubtful(
        check,
        'its slots are not checked: an instance that hangs stays in traffic',
        'add `check inter 5s` to the server-template',
      ),
    );
  }
  const misdirected = slots.filter(
    (row) => (row.adminState & disabledInConfig) === 0 && isEnabled(row) && isLoopback(row.address),
  );
  if (misdirected.length > 0) {
    findings.push(
      broken(
        check,
        `${misdirected.length} slots take traffic at a placeholder address, such as ${misdirected[0]?.name}`,
        'add `disabled` to the server-template: a free slot must be in maintenance',
      ),
    );
  }
  const algorithm =
    stats.find((row) => row['pxname'] === template.backend && row['svname'] === 'BACKEND')?.['algo'] ?? '';
  const hasSide = stats.some((row) => row['pxname'] === sideBackend);
  if (algorithm !== '' && !dynamicAlgorithms.has(algorithm) && !hasSide) {
    findings.push(
      broken(
        check,
        `it is balanced by ${algorithm}, which takes no lock rows, and there is no backend ${sideBackend}`,
        `add "backend ${sideBackend}" with "balance roundrobin" to haproxy.cfg`,
      ),
    );
  }
  return findings.length > 0
    ? findings
    : [fine(check, `${slots.length} slots${algorithm === '' ? '' : `, ${algorithm}`}`)];
}
