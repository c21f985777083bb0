// The Docker hosts on which Berth would start and stop containers: whether they answer, and what the labels of their
// containers say that cannot be used.
import { homedir } from 'node:os';
import { describeError, isBerthError } from '../../../shared/errors.ts';
import { readLabels } from '../../../shared/labels.ts';
import type { Config } from '../../config/read-config.ts';
import type { DockerEndpoint } from '../../targets/docker/endpoint.ts';
import type { ListedContainer } from '../../targets/docker/engine-schema.ts';
import { broken, doubtful, type Finding, fine } from './finding.ts';

const answerMs = 5000;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Those of the configuration, each of which should answer; without any, this machine's, which need not be there. */
export async function checkDocker(
  hosts: Config['dockerHosts'],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  if (hosts === undefined || hosts.length === 0) {
    const { findEndpoint } = await import('../../targets/docker/find-endpoint.ts');
    const here = { env, home: homedir(), uid: process.getuid?.() ?? 0, root: '/' };
    return checkHost('docker', () => findEndpoint(here, silent), doubtful);
  }
  const { endpointOf } = await import('../../targets/docker/host-schema.ts');
  const found = hosts.map((host) => checkHost(`docker ${host.name}`, () => endpointOf(host), broken));
  return (await Promise.all(found)).flat();
}

async function checkHost(
  check: string,
  find: () => Promise<DockerEndpoint>,
  whenAway: typeof broken,
): Promise<Finding[]> {
  const [{ createDockerClient }, { formatAddress }] = await Promise.all([
    import('../../targets/docker/client.ts'),
    import('../../targets/docker/endpoint.ts'),
  ]);
  try {
    const endpoint = await find();
    const client = createDockerClient(endpoint);
    try {
      const containers = await client.list(AbortSignal.timeout(answerMs));
      const seen = `${formatAddress(endpoint.address)} answers, ${containers.length} containers`;
      return [fine(check, seen), ...containers.flatMap((each) => checkLabels(check, each))];
    } finally {
      client.close();
    }
  } catch (error) {
    const seen = isBerthError(error) ? error.message : describeError(error);
    const hint = isBerthError(error) ? error.hint : undefined;
    const mend = `${hint ?? 'set DOCKER_HOST'}; only needed where Berth starts and stops containers`;
    return [whenAway(check, seen, mend)];
  }
}

function checkLabels(check: string, { Id, Names, Labels }: ListedContainer): Finding[] {
  const name = Names?.[0]?.replace(/^\//, '') ?? Id.slice(0, 12);
  return readLabels(Labels ?? {}).problems.map(({ label, value, message, mend }) =>
    doubtful(`${check}: container ${name}`, `label ${label}=${JSON.stringify(value)} ${message}`, mend),
  );
}
