// Images for tests of the agent in images: berth/runtime and berth/agent from Dockerfile.agent, the examples built on
// them, and stand-ins for the images that the examples start from where no registry can be reached.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '../bench/app-image.ts';
import type { DockerEngine } from '../bench/docker.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';

const root = join(import.meta.dirname, '..', '..');

/** Builds a stage of Dockerfile.agent and tags it as the examples name it. */
export async function agentImage(engine: DockerEngine, stage: 'agent' | 'runtime'): Promise<string> {
  await ensureBaseImage(engine);
  const id = await buildImage(engine, {
    context: root,
    dockerfile: join(root, 'Dockerfile.agent'),
    target: stage,
  });
  await engine.run(['tag', id, `berth/${stage}`]);
  return id;
}

/** What each stand-in is made of, beyond the base image. Without Node: the agent must bring its own. */
const standIns: Readonly<Record<string, readonly string[]>> = {
  'python:3.13-slim': [
    `FROM ${baseImage}`,
    'RUN apt-get update && apt-get install -y --no-install-recommends python3-minimal libpython3-stdlib && rm /usr/local/bin/node',
    'CMD ["python3"]',
  ],
  'nginx:1.29': [
    `FROM ${baseImage}`,
    'RUN apt-get update && apt-get install -y --no-install-recommends nginx-light && rm /usr/local/bin/node',
    `RUN printf '#!/bin/sh\\nset -e\\nexec "$@"\\n' > /docker-entrypoint.sh && chmod 755 /docker-entrypoint.sh`,
    'EXPOSE 80',
    'STOPSIGNAL SIGQUIT',
    'ENTRYPOINT ["/docker-entrypoint.sh"]',
    'CMD ["nginx", "-g", "daemon off;"]',
  ],
  'busybox:1.37-musl': [
    `FROM ${baseImage}`,
    'RUN apt-get update && apt-get install -y --no-install-recommends busybox-static',
  ],
};

async function ensureStandIn(engine: DockerEngine, name: string, lines: readonly string[]): Promise<void> {
  const there = (args: readonly string[], deadlineMs?: number) =>
    engine.run(args, deadlineMs).then(
      () => true,
      () => false,
    );
  if (await there(['image', 'inspect', name])) return;
  if (await there(['pull', '-q', name], 180_000)) return;
  const context = await mkdtemp(join(tmpdir(), 'berth-stand-in-'));
  try {
    await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\nLABEL berth.test.stand-in=true\n`);
    await engine.run(['tag', await buildImage(engine, { context }), name]);
  } finally {
    await rm(context, { recursive: true });
  }
}

/** Builds examples/apps/NAME as its Dockerfile says. */
export async function exampleImage(
  engine: DockerEngine,
  name: 'node' | 'python' | 'nginx' | 'no-shell',
): Promise<string> {
  await agentImage(engine, name === 'node' ? 'agent' : 'runtime');
  for (const [image, lines] of Object.entries(standIns)) await ensureStandIn(engine, image, lines);
  return buildImage(engine, { context: join(root, 'examples', 'apps', name) });
}

/** The base image with the test app at /app.mjs and /berth; no entrypoint. */
export async function benchImage(engine: DockerEngine): Promise<string> {
  await agentImage(engine, 'runtime');
  const context = await mkdtemp(join(tmpdir(), 'berth-bench-image-'));
  try {
    await copyFile(join(root, 'test', 'bench', 'app.mjs'), join(context, 'app.mjs'));
    const lines = [`FROM ${baseImage}`, 'COPY --from=berth/runtime /berth /berth', 'COPY app.mjs /app.mjs'];
    await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    return await buildImage(engine, { context });
  } finally {
    await rm(context, { recursive: true });
  }
}
