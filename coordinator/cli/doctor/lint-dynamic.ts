// What dynamic mode needs of an haproxy.cfg: a backend without servers that takes them at run time. Pure.
import { dynamicAlgorithms } from '../../../shared/haproxy/dynamic-servers.ts';
import { sideBackend } from '../../../shared/haproxy/slots.ts';
import { broken, doubtful, type Finding } from './finding.ts';
import { algorithmOf, inherited, type Section } from './parse-haproxy-config.ts';

export function lintDynamic(name: string, sections: readonly Section[]): Finding[] {
  const empty = sections.filter(
    ({ kind, name: backend, lines }) =>
      kind === 'backend' &&
      backend !== sideBackend &&
      !lines.some(({ words }) => words[0] === 'server' || words[0] === 'server-template'),
  );
  if (empty.length === 0) {
    return [
      broken(
        name,
        'there is no backend without servers, and agents in dynamic mode add theirs to one',
        'add a backend with `balance roundrobin` and no servers',
      ),
    ];
  }
  return empty.flatMap((section): Finding[] => {
    const { algorithm, line } = algorithmOf(section);
    if (!dynamicAlgorithms.has(algorithm)) {
      return [
        broken(
          `${name}:${line}`,
          `backend ${section.name} is balanced by ${algorithm}, which takes no servers at run time`,
          'use `balance roundrobin`, `leastconn` or `random`, or a server-template and NODE_COUNT',
        ),
      ];
    }
    if (inherited(section, sections).length === 0) return [];
    return [
      doubtful(
        `${name}:${section.line}`,
        `backend ${section.name} has a default-server, which does not hold for servers that are added`,
        "say the same in the agents' HAPROXY_SERVER_PARAMETERS",
      ),
    ];
  });
}
