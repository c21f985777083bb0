// Asks each HAProxy what the checks need.
import { lookup } from 'node:dns/promises';
import { BerthError, describeError, isBerthError } from '../../../shared/errors.ts';
import { commands } from '../../../shared/haproxy/commands.ts';
import { type Endpoint, resolveEndpoints } from '../../../shared/haproxy/endpoint.ts';
import type { Reply } from '../../../shared/haproxy/reply-reader.ts';
import { createRuntimeApi } from '../../../shared/haproxy/runtime-api.ts';
import { parseInfo, parseServersState, parseStat } from '../../../shared/haproxy/servers-state.ts';
import { checkSlots, type HaproxySeen, type SlotsWanted } from './check-slots.ts';
import { countConnections } from './count-connections.ts';
import { broken, doubtful, type Finding, fine } from './finding.ts';

const triedConnections = 24;
const countMs = 700;

export async function checkHaproxys(endpoints: readonly Endpoint[], wanted: SlotsWanted): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const endpoint of endpoints) {
    try {
      const resolved = await resolveEndpoints([endpoint], async (host) =>
        (await lookup(host, { all: true })).map(({ address }) => address),
      );
      for (const one of resolved) findings.push(...(await checkHaproxy(one, wanted)));
    } catch (error) {
      const mend = 'check the spelling of HAPROXY_SERVER, and that both are in the same Docker network';
      findings.push(
        broken(`haproxy ${endpoint.name}: name`, `it does not resolve: ${describeError(error)}`, mend),
      );
    }
  }
  return findings;
}

async function checkHaproxy(endpoint: Endpoint, wanted: SlotsWanted): Promise<Finding[]> {
  const check = `haproxy ${endpoint.name}: runtime API`;
  try {
    const seen = await look(endpoint);
    const served = await countConnections(endpoint, triedConnections, countMs);
    return [
      fine(check, 'answers'),
      ...checkSlots(seen, wanted, Date.now()),
      checkConnections(endpoint.name, served),
    ];
  } catch (error) {
    const mend = isBerthError(error) ? (error.hint ?? '') : '';
    return [broken(check, isBerthError(error) ? error.message : describeError(error), mend)];
  }
}

async function look(endpoint: Endpoint): Promise<HaproxySeen> {
  const asked = [
    commands.showInfo(),
    commands.showCliLevel(),
    commands.showServersState(),
    commands.showStat(),
  ];
  const { replies } = await createRuntimeApi(endpoint).transact(asked);
  const [info, level, state, stat] = replies;
  if (info === undefined || level === undefined || state === undefined || stat === undefined) {
    throw new BerthError('haproxy.bad-reply', 'HAProxy left out replies');
  }
  return {
    name: endpoint.name,
    info: parseInfo(info),
    level: level.text,
    rows: parseServersState(state),
    stats: parseStats(stat),
  };
}

/** Statistics are only used for the algorithm; a listing that cannot be read is no reason to stop looking. */
function parseStats(reply: Reply): HaproxySeen['stats'] {
  try {
    return parseStat(reply);
  } catch {
    return [];
  }
}

function checkConnections(name: string, served: number): Finding {
  const check = `haproxy ${name}: stats maxconn`;
  if (served >= triedConnections) return fine(check, `at least ${served} connections at once`);
  return doubtful(
    check,
    `${served} connections at once; further ones wait without an error`,
    'set `stats maxconn 1000` in the global section: with many containers claims take seconds otherwise',
  );
}
