// The kinds of app images that the agent goes into, each as it is without the agent, and how the agent is added.
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryFlags } from '../agent/agent-bundle.ts';
import { agentExecutable } from '../agent/agent-executable.ts';
import { agentImage, imageOf } from '../agent/app-images.ts';
import { ensureStandIn } from '../agent/stand-ins.ts';
import type { DockerEngine } from '../bench/docker.ts';
import { baseImage } from '../bench/images.ts';

export interface Variant {
  name: string;
  /** Lines of a Dockerfile: the app image without the agent. */
  image: readonly string[];
  copy: string;
  /** Before the app's command. */
  agent: readonly string[];
  /** A Node that does nothing, in the image with the agent. */
  bareNode: string;
  /** A command that ends at once, and an app that listens on `port`. */
  nothing: readonly string[];
  app: readonly string[];
  port: string;
}

const file = {
  copy: 'COPY --from=berth/agent /agent.cjs /agent.cjs',
  agent: ['node', ...memoryFlags, '/agent.cjs', '--'],
  bareNode: 'node',
};
const runtime = {
  copy: 'COPY --from=berth/runtime /berth /berth',
  agent: ['/berth/tini', '--', '/berth/node', ...memoryFlags, '/berth/agent.cjs', '--'],
  bareNode: '/berth/node',
};
const nodeApp = {
  nothing: ['/bin/sh', '-c', 'true'],
  app: ['node', '-e', `require('http').createServer((_, answer) => answer.end()).listen(8080)`],
  port: '8080',
};
const nginx = { nothing: ['/bin/sh', '-c', 'true'], app: ['nginx', '-g', 'daemon off;'], port: '80' };

/** Makes what they are built from, and lists them. */
export async function imageVariants(engine: DockerEngine): Promise<Variant[]> {
  for (const stage of ['agent', 'runtime'] as const) await agentImage(engine, stage);
  for (const name of ['node:24-alpine', 'nginx:1.29', 'nginx:1.29-alpine', 'busybox:1.37-musl'] as const) {
    await ensureStandIn(engine, name);
  }
  await executableImage(engine);
  const noEntrypoint = 'ENTRYPOINT []';
  return [
    { name: 'agent.cjs, glibc with Node', image: [`FROM ${baseImage}`], ...file, ...nodeApp },
    { name: 'agent.cjs, musl with Node', image: ['FROM node:24-alpine'], ...file, ...nodeApp },
    {
      name: 'executable, glibc',
      image: [`FROM ${baseImage}`],
      copy: 'COPY --from=berth-bench/executable /berth-agent /berth-agent',
      agent: ['/berth-agent', '--'],
      bareNode: 'node',
      ...nodeApp,
    },
    { name: '/berth, glibc without Node', image: ['FROM nginx:1.29', noEntrypoint], ...runtime, ...nginx },
    {
      name: '/berth, musl without Node',
      image: ['FROM nginx:1.29-alpine', noEntrypoint],
      ...runtime,
      ...nginx,
    },
    {
      name: '/berth, no libc and no shell',
      image: ['FROM busybox:1.37-musl AS app', 'FROM scratch', 'COPY --from=app /bin/busybox /busybox'],
      ...runtime,
      nothing: ['/busybox', 'true'],
      app: ['/busybox', 'httpd', '-f', '-p', '8080', '-h', '/berth'],
      port: '8080',
    },
  ];
}

async function executableImage(engine: DockerEngine): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-executable-'));
  try {
    const content = join(folder, 'content');
    await mkdir(content);
    await copyFile(await agentExecutable(), join(content, 'berth-agent'));
    const id = await imageOf(engine, 'FROM scratch\nCOPY berth-agent /berth-agent', content);
    await engine.run(['tag', id, 'berth-bench/executable']);
  } finally {
    await rm(folder, { recursive: true });
  }
}
