// The app instances of the demo: containers where a Docker Engine can be had, else processes of this machine. Both run
// the same two things, `node agent.cjs -- node app.mjs`, with the three variables that a user sets.
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { appFile } from '../../test/bench/app.ts';
import { type DockerEngine, dockerEngine } from '../../test/bench/docker.ts';
import { baseImage, ensureBaseImage } from '../../test/bench/images.ts';
import { type Running, startProcess } from '../../test/bench/processes.ts';
import { freePort } from '../../test/bench/wait.ts';

export interface Instance {
  readonly name: string;
  start(): Promise<void>;
  /** In order, as `docker stop` does it: SIGTERM and up to ten seconds. */
  stop(): Promise<void>;
  /** SIGKILL to everything in it. */
  kill(): Promise<void>;
  logs(): Promise<string>;
}

export interface DemoEngine {
  /** As `DOCKER_HOST` takes it. */
  readonly host: string;
  /** Names of the demo's containers, running ones only. */
  running(): Promise<string[]>;
  /** `docker rm -f` */
  remove(name: string): Promise<void>;
}

export interface Host {
  /** For people. */
  readonly kind: string;
  /** Where HAProxy and the coordinator listen so that instances and this process reach them. */
  readonly address: string;
  /** The Docker Engine for the coordinator to act on; undefined where the instances are processes. */
  readonly engine: DemoEngine | undefined;
  instance(name: string, env: Readonly<Record<string, string>>): Instance;
  close(): Promise<void>;
}

/** Docker if it can be had; says on `tell` why not. */
export async function chooseHost(
  agentFile: string,
  folder: string,
  tell: (line: string) => void,
): Promise<Host> {
  try {
    return await dockerHost(agentFile, folder);
  } catch (error) {
    tell(
      `no Docker Engine can be had here, so the instances are local processes (${error instanceof Error ? error.message.split('\n')[0] : error})`,
    );
    return processHost(agentFile);
  }
}

async function dockerHost(agentFile: string, folder: string): Promise<Host> {
  const engine = await dockerEngine();
  await ensureBaseImage(engine);
  const name = `berth-demo-${process.pid}`;
  const network = await engine.network(name);
  // What containers mount must not depend on where the project was cloned to.
  await mkdir(folder, { recursive: true });
  await copyFile(agentFile, join(folder, 'agent.cjs'));
  await copyFile(appFile, join(folder, 'app.mjs'));
  return {
    kind: `containers in a Docker Engine (${engine.host})`,
    address: network.gateway,
    engine: {
      host: engine.host,
      running: async () =>
        (await engine.run(['ps', '--filter', `network=${name}`, '--format', '{{.Names}}']))
          .split('\n')
          .filter((line) => line !== ''),
      remove: async (container) => void (await engine.run(['rm', '-f', container])),
    },
    instance: (instance, env) =>
      container(engine, network.name, `${name}-${instance}`, instance, folder, env),
    close: async () => {
      // Clones carry the label of the one they were made from, so all of them go with the engine's own clean-up.
      await engine.stop();
    },
  };
}

function container(
  engine: DockerEngine,
  network: string,
  full: string,
  name: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Instance {
  let created = false;
  const start = async () => {
    if (created) {
      await engine.run(['start', full]);
      return;
    }
    const options = ['--init', '-v', `${folder}:/demo:ro`];
    const command = ['node', '/demo/agent.cjs', '--', 'node', '/demo/app.mjs'];
    await engine.start({
      image: baseImage,
      network,
      name: full,
      env: { ...env, PORT: '8080' },
      options,
      command,
    });
    created = true;
  };
  return {
    name,
    start,
    stop: async () => void (await engine.run(['stop', full])),
    kill: async () => void (await engine.run(['kill', full])),
    logs: () => engine.run(['logs', full]),
  };
}

function processHost(agentFile: string): Host {
  const instances: { close(): Promise<void> }[] = [];
  return {
    kind: 'processes of this machine',
    address: '127.0.0.1',
    engine: undefined,
    instance: (name, env) => {
      const made = localProcess(agentFile, name, env);
      instances.push(made);
      return made;
    },
    close: async () => {
      await Promise.all(instances.map((each) => each.close()));
    },
  };
}

function localProcess(
  agentFile: string,
  name: string,
  env: Readonly<Record<string, string>>,
): Instance & { close(): Promise<void> } {
  let running: Running | undefined;
  let port: number | undefined;
  let logs = '';
  const ended = async (end: (process: Running) => Promise<unknown>) => {
    if (running === undefined) return;
    await end(running);
    logs += running.output();
    running = undefined;
  };
  return {
    name,
    start: async () => {
      port ??= await freePort();
      const own = { ...env, PORT: String(port), HOSTNAME: name, HOST: '127.0.0.1' };
      running = await startProcess(process.execPath, [agentFile, '--', process.execPath, appFile], {
        env: own,
        name,
      });
    },
    stop: () => ended((process) => process.stop(10_000)),
    kill: () => ended((process) => process.killAll()),
    logs: async () => logs + (running?.output() ?? ''),
    close: () => ended((process) => process.stop(2000)),
  };
}
