// Reads an haproxy.cfg for what goes wrong later and is accepted without a word (HAPROXY.md). Pure. It looks for known
// traps, and leaves the grammar to `haproxy -c`.
import { isIP } from 'node:net';
import { dynamicAlgorithms } from '../../../shared/haproxy/dynamic-servers.ts';
import { sideBackend } from '../../../shared/haproxy/slots.ts';
import { broken, doubtful, type Finding, fine } from './finding.ts';
import { lintDynamic } from './lint-dynamic.ts';
import { algorithmOf, inherited, type Line, parseSections, type Section } from './parse-haproxy-config.ts';

const leastConnections = 100;

/** `name` is the file's, for the findings; `count` is NODE_COUNT if it was given. */
export function lintHaproxyConfig(
  name: string,
  text: string,
  count: number | undefined,
  mode: 'template' | 'dynamic' = 'template',
): Finding[] {
  const sections = parseSections(text);
  const findings = [
    ...lintSocket(name, sections),
    ...sections.flatMap((section) => lintTemplates(name, section, sections, count)),
  ];
  if (mode === 'dynamic') findings.push(...lintDynamic(name, sections));
  else if (!sections.some((section) => section.lines.some(({ words }) => words[0] === 'server-template'))) {
    findings.push(
      broken(
        name,
        'there is no server-template',
        'add "server-template node 1-100 localhost:3128 check disabled" to the backend',
      ),
    );
  }
  return findings.length > 0 ? findings : [fine(name, 'none of the known traps')];
}

function lintSocket(name: string, sections: readonly Section[]): Finding[] {
  const stats = sections
    .filter(({ kind }) => kind === 'global')
    .flatMap(({ lines }) => lines)
    .filter(({ words }) => words[0] === 'stats');
  const sockets = stats.filter(({ words }) => words[1] === 'socket');
  if (sockets.length === 0) {
    return [
      broken(
        name,
        'there is no stats socket',
        'add "stats socket ipv4@*:9999 level admin" to the global section',
      ),
    ];
  }
  const findings: Finding[] = [];
  for (const { number, words } of sockets) {
    const at = `${name}:${number}`;
    if (words.includes('ssl') || words.includes('crt')) {
      findings.push(
        broken(
          at,
          'a stats socket with `ssl` is accepted, and serves plain text to anybody',
          'put a `mode tcp` frontend with `bind … ssl crt … ca-file … verify required` in front of the unix socket (examples/haproxy/production.cfg)',
        ),
      );
    }
    const level = words[words.indexOf('level') + 1];
    if (!words.includes('level') || level !== 'admin') {
      findings.push(
        doubtful(
          at,
          `this stats socket has level ${words.includes('level') ? level : 'operator'}`,
          'set `level admin` on the one that Berth uses',
        ),
      );
    } else if (isOpenAddress(words[2] ?? '')) {
      findings.push(
        doubtful(
          at,
          'everybody who reaches this port rules HAProxy',
          'open it in a network of trusted containers only, or use mutual TLS (examples/haproxy/production.cfg)',
        ),
      );
    }
  }
  const maxconn = stats.find(({ words }) => words[1] === 'maxconn');
  const allowed = maxconn === undefined ? 10 : Number(maxconn.words[2]);
  if (allowed < leastConnections) {
    const at = maxconn === undefined ? name : `${name}:${maxconn.number}`;
    findings.push(
      doubtful(
        at,
        `stats maxconn is ${allowed}: further connections wait without an error`,
        'set `stats maxconn 1000` in the global section',
      ),
    );
  }
  return findings;
}

function isOpenAddress(address: string): boolean {
  return /^(?:ipv[46]@)?(?:\*|0\.0\.0\.0|\[?::\]?|)?:\d+$/.test(address);
}

function lintTemplates(
  name: string,
  section: Section,
  sections: readonly Section[],
  count: number | undefined,
): Finding[] {
  const templates = section.lines.filter(({ words }) => words[0] === 'server-template');
  const findings = templates.flatMap((line) => lintTemplate(name, line, inherited(section, sections), count));
  const [first] = templates;
  const { algorithm, line } = algorithmOf(section);
  const hasSide = sections.some((other) => other.kind === 'backend' && other.name === sideBackend);
  if (first !== undefined && !dynamicAlgorithms.has(algorithm) && !hasSide) {
    findings.push(
      broken(
        `${name}:${line}`,
        `backend ${section.name} is balanced by ${algorithm}, which takes no lock rows, and there is no backend ${sideBackend}`,
        `add "backend ${sideBackend}" with "balance roundrobin"`,
      ),
    );
  }
  return findings;
}

function lintTemplate(
  name: string,
  { number, words }: Line,
  defaults: readonly string[],
  count: number | undefined,
): Finding[] {
  const at = `${name}:${number}`;
  const [, prefix = '', range = '', address = '', ...rest] = words;
  const own = [...defaults, ...rest];
  const findings: Finding[] = [];
  const match = /^(?:(\d+)-)?(\d+)$/.exec(range);
  if (match === null) {
    findings.push(
      broken(
        at,
        `the range ${JSON.stringify(range)} of ${prefix} is not read as one: HAProxy makes a single slot of it`,
        'write it with a plain hyphen: 1-100',
      ),
    );
  } else {
    const from = match[1] === undefined ? 1 : Number(match[1]);
    const to = Number(match[2]);
    if (from !== 1)
      findings.push(
        broken(at, `the slots of ${prefix} begin with ${from}`, `let the range begin with 1: 1-${to}`),
      );
    else if (count !== undefined && to < count) {
      findings.push(
        broken(
          at,
          `the template has ${to} slots, NODE_COUNT is ${count}`,
          `make the range 1-${count}, or lower NODE_COUNT`,
        ),
      );
    }
  }
  const host = address.replace(/:\d+$/, '').replaceAll(/[[\]]/g, '');
  if (isIP(host) !== 0) {
    findings.push(
      doubtful(
        at,
        `the placeholder ${address} is an IP address: a state file brings back port and state, but not the address`,
        'write a name: localhost:3128',
      ),
    );
  }
  const initAt = own.lastIndexOf('init-addr');
  const initial = initAt < 0 ? [] : (own[initAt + 1] ?? '').split(',');
  if (initial.includes('none') && !initial.includes('libc')) {
    findings.push(
      broken(
        at,
        `init-addr ${initial.join(',')}: such a slot refuses every address at run time`,
        'use `init-addr last,libc,none`',
      ),
    );
  }
  if (!own.includes('disabled')) {
    findings.push(
      broken(
        at,
        'the slots are not `disabled`: a free one sends traffic to its placeholder',
        'add `disabled` to the server-template',
      ),
    );
  }
  if (!own.includes('check')) {
    findings.push(
      doubtful(
        at,
        'the slots are not checked: an instance that hangs stays in traffic',
        'add `check inter 5s`',
      ),
    );
  }
  return findings;
}
