// Images for tests of the agent in images: berth/runtime and berth/agent from Dockerfile.agent, and app images on them.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '../bench/app-image.ts';
import type { DockerEngine } from '../bench/docker.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';
import { ensureStandIn, type Replaced } from './stand-ins.ts';

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

/** What each example starts from. */
const examples = {
  node: baseImage,
  python: 'python:3.13-slim',
  nginx: 'nginx:1.29',
  alpine: 'nginx:1.29-alpine',
  'no-shell': 'busybox:1.37-musl',
} as const;

export type Example = keyof typeof examples;

/** Builds examples/apps/NAME as its Dockerfile says, or with another image in its first FROM. */
export async function exampleImage(engine: DockerEngine, name: Example, from?: Replaced): Promise<string> {
  await agentImage(engine, name === 'node' ? 'agent' : 'runtime');
  const given = from ?? examples[name];
  if (given !== baseImage) await ensureStandIn(engine, given);
  const folder = join(root, 'examples', 'apps', name);
  const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8');
  if (!dockerfile.includes(`FROM ${examples[name]}`)) {
    throw new Error(`examples/apps/${name} starts from something else than ${examples[name]}`);
  }
  return imageOf(engine, dockerfile.replace(`FROM ${examples[name]}`, `FROM ${given}`), folder);
}

/** The base image with the test app at /app.mjs and /berth, and `lines` after that; no entrypoint of its own. */
export async function benchImage(engine: DockerEngine, lines: readonly string[] = []): Promise<string> {
  await agentImage(engine, 'runtime');
  const first = [`FROM ${baseImage}`, 'COPY --from=berth/runtime /berth /berth', 'COPY app.mjs /app.mjs'];
  return imageOf(engine, [...first, ...lines].join('\n'), join(root, 'test', 'bench', 'app.mjs'), 'app.mjs');
}

/** Builds `dockerfile` with a copy of `content` as the context, or as `name` in it. */
export async function imageOf(
  engine: DockerEngine,
  dockerfile: string,
  content?: string,
  name = '.',
): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'berth-image-'));
  try {
    if (content !== undefined) await cp(content, join(context, name), { recursive: true });
    await writeFile(join(context, 'Dockerfile'), `${dockerfile}\n`);
    return await buildImage(engine, { context });
  } finally {
    await rm(context, { recursive: true });
  }
}
