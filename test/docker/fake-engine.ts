// A Docker Engine's API over a unix socket, as far as observing needs it: thousands of containers, made from one that
// was recorded on Docker 20.10. It counts what it is asked. Answers are kept as text, so that what is measured against
// it is the asking, not the making of answers.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface FakeEngine extends AsyncDisposable {
  readonly socketPath: string;
  readonly asked: { lists: number; inspects: number };
  readonly ids: readonly string[];
  /** Its container ends, with an event if `isTold`. */
  end(id: string, isTold: boolean): void;
  /** It is started again: to the listing it runs as before, but for its endpoint in the network. */
  restart(id: string, isTold: boolean): void;
}

const folder = join(import.meta.dirname, '../bench/recorded/docker-20.10');

/** `services`: the containers are of so many services, `web-0` and on, by turns; default: all of `web`. */
export async function startFakeEngine(count: number, services = 0): Promise<FakeEngine> {
  const listed = await readFile(join(folder, 'listed.json'), 'utf8');
  const inspected = await readFile(join(folder, 'inspected.json'), 'utf8');
  const { Id: recordedId, Names: [recordedName = ''] = [] } = JSON.parse(listed);
  const ids = Array.from({ length: count }, (_, index) =>
    (index + 1).toString(16).padStart(12, '0').padEnd(64, 'a'),
  );
  const number = new Map(ids.map((id, index) => [id, index + 1]));
  /** The recorded text, as that of another container. */
  const serviceOf = (id: string) =>
    services === 0 ? 'web' : `web-${((number.get(id) ?? 0) - 1) % services}`;
  const as = (text: string, id: string) =>
    text
      .replaceAll('"berth.service": "web"', `"berth.service": "${serviceOf(id)}"`)
      .replaceAll('BERTH_SERVICE=web', `BERTH_SERVICE=${serviceOf(id)}`)
      .replaceAll(recordedId, id)
      .replaceAll(recordedId.slice(0, 12), id.slice(0, 12))
      .replaceAll(recordedName, `/shop-web-${number.get(id)}`)
      .replaceAll(
        '"com.docker.compose.container-number": "1"',
        `"com.docker.compose.container-number": "${number.get(id)}"`,
      )
      .replaceAll(/"EndpointID": "[0-9a-f]+"/g, `"EndpointID": "${endpoints.get(id)}"`);
  const endpoints = new Map(ids.map((id) => [id, id.split('').reverse().join('')]));
  const ended = new Set<string>();
  const listedText = (id: string) => {
    const text = as(listed, id).replaceAll(/\n */g, '');
    return ended.has(id)
      ? text
          .replace('"State": "running"', '"State": "exited"')
          .replace(/"Status": "[^"]*"/, '"Status": "Exited (0) 1 second ago"')
      : text;
  };
  const rows = new Map(ids.map((id) => [id, listedText(id)]));
  let listing: string | undefined;
  const asked = { lists: 0, inspects: 0 };
  const listeners = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    const { pathname } = new URL(request.url ?? '', 'http://docker');
    const id = /^\/containers\/([0-9a-f]{64})\/json$/.exec(pathname)?.[1];
    if (pathname === '/events') {
      response.flushHeaders();
      listeners.add(response.on('close', () => listeners.delete(response)));
    } else if (pathname === '/containers/json') {
      asked.lists += 1;
      listing ??= `[${[...rows.values()].join()}]`;
      response.end(listing);
    } else if (id !== undefined && number.has(id)) {
      asked.inspects += 1;
      const text = as(inspected, id);
      response.end(ended.has(id) ? text.replace('"Status": "running"', '"Status": "exited"') : text);
    } else {
      response.writeHead(404).end('{"message":"No such container"}');
    }
  });
  const directory = await mkdtemp(join(tmpdir(), 'berth-engine-'));
  const socketPath = join(directory, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const changed = (id: string, action: string, isTold: boolean) => {
    rows.set(id, listedText(id));
    listing = undefined;
    const event = {
      Type: 'container',
      Action: action,
      Actor: { ID: id, Attributes: {} },
      time: Math.floor(Date.now() / 1000),
    };
    if (isTold) for (const listener of listeners) listener.write(`${JSON.stringify(event)}\n`);
  };
  return {
    socketPath,
    asked,
    ids,
    end: (id, isTold) => {
      ended.add(id);
      changed(id, 'die', isTold);
    },
    restart: (id, isTold) => {
      ended.delete(id);
      endpoints.set(id, String(Math.random()).slice(2).padStart(64, 'e'));
      changed(id, 'start', isTold);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
