// How the agent introduces itself to a coordinator.
import type { Hello } from '../shared/protocol.ts';
import { protocolVersion } from '../shared/protocol-terms.ts';
import { version } from '../shared/version.ts';
import type { Config } from './config.ts';
import type { Identity } from './identity.ts';

export function formatHello(config: Config, identity: Identity): Hello {
  const { id, hostname, container } = identity;
  const { service } = config.app;
  const { nodeCount, slotPrefix } = config.haproxy;
  return {
    type: 'hello',
    v: protocolVersion,
    agent: id,
    hostname,
    agentVersion: version,
    slotPrefix,
    ...(nodeCount === undefined ? {} : { nodeCount }),
    ...(service === undefined ? {} : { service }),
    ...(container === undefined ? {} : { container }),
  };
}
