// What Docker Engine says of the containers of a stage, asked over its socket: a look takes 3 ms instead of the CLI's 50.
import { request } from 'node:http';
import * as z from 'zod';

const containersSchema = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    State: z.string(),
    NetworkSettings: z.object({ Networks: z.record(z.string(), z.object({ IPAddress: z.string() })) }),
  }),
);

export interface ContainerLook {
  id: string;
  name: string;
  state: string;
  /** By network; without those in which it has none. */
  addresses: Readonly<Record<string, string>>;
}

/** Every container, running or not, with the label. */
export async function lookAtContainers(socketPath: string, label: string): Promise<ContainerLook[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  const text = await get(socketPath, `/v1.41/containers/json?all=true&filters=${filters}`);
  return containersSchema.parse(JSON.parse(text)).map(({ Id, Names, State, NetworkSettings }) => ({
    id: Id,
    name: (Names[0] ?? '').replace(/^\//, ''),
    state: State,
    addresses: Object.fromEntries(
      Object.entries(NetworkSettings.Networks)
        .map(([network, { IPAddress }]) => [network, IPAddress] as const)
        .filter(([, address]) => address !== ''),
    ),
  }));
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, signal: AbortSignal.timeout(5000) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(body)
          : reject(new Error(`Docker: ${response.statusCode} ${body}`)),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}
