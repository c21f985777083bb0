// Docker hosts from the configuration: `docker: [{name: lab, host: tcp://10.0.0.5:2376, ca: …, cert: …, key: …}]`.
import { z } from 'zod';
import { BerthError } from '../../../shared/errors.ts';
import { type DockerEndpoint, parseAddress, readTls } from './endpoint.ts';

const path = z.string().min(1).max(4096);

export const dockerHostSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'is not a name: use letters, digits, and _ . -')
      .describe('How logs, the audit and the API call this host'),
    host: z.string().min(1).max(1000).describe('Its address: unix:///path or tcp://host:port'),
    ca: path.describe("PEM file of the CA that the engine's certificate is checked against").optional(),
    cert: path.describe('PEM file of the client certificate').optional(),
    key: path.describe('PEM file of its key').optional(),
  })
  .describe('A Docker Engine; with ca, cert or key it is reached over TLS');

export type DockerHostConfig = z.infer<typeof dockerHostSchema>;

/** Several hosts; each name is used once, since instances are told apart by it. */
export const dockerHostsSchema = z.array(dockerHostSchema).superRefine((hosts, context) => {
  for (const [index, { name }] of hosts.entries()) {
    if (hosts.findIndex((other) => other.name === name) === index) continue;
    context.addIssue({
      code: 'custom',
      path: [index, 'name'],
      message: `${name} is the name of another host`,
    });
  }
});

/**
 * The endpoint that a host of the configuration describes, with its files read.
 * @throws BerthError `config.invalid`
 */
export async function endpointOf(config: DockerHostConfig): Promise<DockerEndpoint> {
  const { name, host, ca, cert, key } = config;
  const from = `docker host ${name}`;
  const hasFiles = ca !== undefined || cert !== undefined || key !== undefined;
  const address = parseAddress(host, from, hasFiles);
  if ('socketPath' in address) {
    if (!hasFiles) return { name, address, tls: undefined, from };
    throw new BerthError('config.invalid', `${from}: ${host} is a unix socket, which has no TLS`, {
      hint: 'leave out ca, cert and key',
    });
  }
  const tls = address.isTls ? await readTls({ ca, cert, key }, from) : undefined;
  return { name, address, tls, from };
}
