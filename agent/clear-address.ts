// Docker gives the address of a container that died to the next one within seconds, also of another service, and until
// its checks fail HAProxy sends the dead one's requests there. So, before the app can answer, its address is taken out
// of traffic wherever it stands; the slots themselves are put in order when the registration arrives.
//
// A HAProxy that cannot be asked within `withinMs` holds no app up.
import { describeError } from '../shared/errors.ts';
import { plainAddress } from '../shared/haproxy/address.ts';
import { commands } from '../shared/haproxy/commands.ts';
import { type Endpoint, isNamed, spellEndpoints } from '../shared/haproxy/endpoint.ts';
import { createRuntimeApi } from '../shared/haproxy/runtime-api.ts';
import { parseServersState } from '../shared/haproxy/servers-state.ts';
import { holds, isInMaintenance, isSlot } from '../shared/haproxy/slots.ts';
import type { Log } from '../shared/log.ts';
import type { Config } from './config.ts';
import { mute } from './give-back.ts';
import { lookUp } from './look-up.ts';

const withinMs = 500;

/** Never rejects. */
export async function clearAddress({ endpoints, app }: Config, log: Log): Promise<void> {
  const late = AbortSignal.timeout(withinMs);
  const cleared = endpoints.map((endpoint) => clearAt(endpoint, app, late, log));
  await Promise.all(cleared);
}

async function clearAt(endpoint: Endpoint, app: Config['app'], late: AbortSignal, log: Log): Promise<void> {
  try {
    const addresses = isNamed(endpoint) ? await orLate(lookUp(endpoint.host), late) : [];
    const found = spellEndpoints(endpoint, addresses);
    await Promise.all(found.map((one) => muteAt(one, app, late, log)));
  } catch (error) {
    log.debug(
      { event: 'address.unchecked', haproxy: endpoint.name, error: describeError(error) },
      'not asked whether this address stands in a slot',
    );
  }
}

async function muteAt(
  endpoint: Endpoint,
  { host, port }: Config['app'],
  late: AbortSignal,
  log: Log,
): Promise<void> {
  const api = createRuntimeApi(endpoint);
  const { replies, localAddress } = await api.transact([commands.showServersState()], late);
  const address = host === undefined ? localAddress : plainAddress(host);
  if (address === undefined) return;
  const rows = replies
    .flatMap((reply) => parseServersState(reply))
    .filter((row) => isSlot(row) && holds(row, { address, port }) && !isInMaintenance(row));
  if (rows.length === 0) return;
  // Cut short as well: what was not sent yet must not be sent later, when the slot may have been claimed by then.
  await mute(api, rows, late);
  for (const { backend, name } of rows) {
    const fields = { event: 'slot.muted', haproxy: endpoint.name, backend, slot: name };
    log.info(fields, `slot muted: ${backend}/${name} has this address, where no app answers yet`);
  }
}

/** A lookup takes no signal; the resolver's own patience may be longer than ours. */
function orLate<T>(work: Promise<T>, late: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    late.addEventListener('abort', () => reject(late.reason), { once: true });
    work.then(resolve, reject);
  });
}
