// Stand-ins for the images that the examples start from, where no registry can be reached. All but the ones in `musl/`
// have glibc; only those for Node have Node in them: elsewhere the agent must bring its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '../bench/app-image.ts';
import { withLock } from '../bench/cache.ts';
import type { DockerEngine } from '../bench/docker.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';

const install = 'RUN apt-get update && apt-get install -y --no-install-recommends';

/** How each is made: the lines of a Dockerfile, or a stage of musl/Dockerfile. */
const standIns = {
  'python:3.13-slim': [
    `FROM ${baseImage}`,
    `${install} python3-minimal libpython3-stdlib && rm /usr/local/bin/node`,
    'CMD ["python3"]',
  ],
  'nginx:1.29': [
    `FROM ${baseImage}`,
    `${install} nginx-light && rm /usr/local/bin/node`,
    `RUN printf '#!/bin/sh\\nset -e\\nexec "$@"\\n' > /docker-entrypoint.sh && chmod 755 /docker-entrypoint.sh`,
    'EXPOSE 80',
    'STOPSIGNAL SIGQUIT',
    'ENTRYPOINT ["/docker-entrypoint.sh"]',
    'CMD ["nginx", "-g", "daemon off;"]',
  ],
  'busybox:1.37-musl': [`FROM ${baseImage}`, `${install} busybox-static`],
  'nginx:1.29-alpine': { stage: 'nginx' },
  'node:24-alpine': { stage: 'node' },
} as const;

export type Replaced = keyof typeof standIns;

/** Makes sure that the engine has the image: there already, pulled, or a stand-in of that name. */
export async function ensureStandIn(engine: DockerEngine, name: Replaced): Promise<void> {
  await ensureBaseImage(engine);
  const there = (args: readonly string[], deadlineMs?: number) =>
    engine.run(args, deadlineMs).then(
      () => true,
      () => false,
    );
  await withLock(`image-${name}`, async () => {
    if (await there(['image', 'inspect', name])) return;
    if (await there(['pull', '-q', name], 180_000)) return;
    const how = standIns[name];
    await engine.run([
      'tag',
      await ('stage' in how ? buildStage(engine, how.stage) : build(engine, how)),
      name,
    ]);
  });
}

function buildStage(engine: DockerEngine, target: string): Promise<string> {
  return buildImage(engine, { context: join(import.meta.dirname, 'musl'), target });
}

async function build(engine: DockerEngine, lines: readonly string[]): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'berth-stand-in-'));
  try {
    await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\nLABEL berth.test.stand-in=true\n`);
    return await buildImage(engine, { context });
  } finally {
    await rm(context, { recursive: true });
  }
}
