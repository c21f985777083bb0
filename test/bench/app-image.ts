// The test app in an image as a user makes it: the agent copied from the image of Dockerfile.agent, in front of the
// app's command. Built from the sources, by whichever builder the engine has; its layer cache makes a second build fast.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appFile } from './app.ts';
import type { DockerEngine } from './docker.ts';
import { baseImage, ensureBaseImage } from './images.ts';

const root = join(import.meta.dirname, '../..');

export interface BuildOptions {
  /** Folder that is sent to the engine. */
  readonly context: string;
  /** Default `Dockerfile` in the context. */
  readonly dockerfile?: string;
  /** Stage to stop at. */
  readonly target?: string;
  readonly args?: Readonly<Record<string, string>>;
}

/** Builds an image and returns its id, which no other build takes away as it could a tag. */
export async function buildImage(engine: DockerEngine, options: BuildOptions): Promise<string> {
  const { context, dockerfile = join(context, 'Dockerfile'), target, args = {} } = options;
  const words = [
    ...['build', '--quiet', '--file', dockerfile],
    ...(target === undefined ? [] : ['--target', target]),
    ...Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
  ];
  const printed = await engine.run([...words, context], 300_000);
  const id = printed.trim().split('\n').at(-1) ?? '';
  if (!id.startsWith('sha256:')) throw new Error(`docker build printed no image id: ${printed}`);
  return id;
}

/** The id of an image whose entrypoint is the agent and whose command is the test app, on port 8080. */
export async function appImage(engine: DockerEngine): Promise<string> {
  await ensureBaseImage(engine);
  const id = await buildImage(engine, {
    context: root,
    dockerfile: join(root, 'Dockerfile.agent'),
    target: 'file',
  });
  // Not every builder takes an id in FROM.
  const agent = `berth-bench/agent:${id.slice('sha256:'.length, 24)}`;
  await engine.run(['tag', id, agent]);
  const context = await mkdtemp(join(tmpdir(), 'berth-app-'));
  try {
    await copyFile(appFile, join(context, 'app.mjs'));
    const lines = [
      `FROM ${agent} AS agent`,
      `FROM ${baseImage}`,
      'COPY --from=agent /agent.cjs /agent.cjs',
      'COPY app.mjs /app.mjs',
      'ENV PORT=8080',
      'ENTRYPOINT ["node", "/agent.cjs", "--"]',
      'CMD ["node", "/app.mjs"]',
    ];
    await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    return await buildImage(engine, { context });
  } finally {
    await rm(context, { recursive: true });
  }
}
