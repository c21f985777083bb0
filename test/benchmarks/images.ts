// What the agent adds to an app's image: its size, the time from `docker run` to the end of a command, and its private
// memory, for images that have Node (`file`) and for those that do not (`runtime`). The floor is the same image without it.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildImage } from '../bench/app-image.ts';
import { type DockerEngine, dockerEngine } from '../bench/docker.ts';
import { baseImage, ensureBaseImage } from '../bench/images.ts';
import { median, type Row, row } from './row.ts';

const root = join(import.meta.dirname, '..', '..');
const runs = 7;
const variants = {
  file: { copy: '/agent.cjs /agent.cjs', entrypoint: ['node', '/agent.cjs', '--'] },
  runtime: {
    copy: '/berth /berth',
    entrypoint: ['/berth/tini', '--', '/berth/node', '/berth/agent.cjs', '--'],
  },
} as const;
const env = ['HAPROXY_SERVER=127.0.0.1:1', 'NODE_COUNT=1', 'PORT=9', 'BERTH_LOG_LEVEL=silent'].flatMap(
  (pair) => ['--env', pair],
);

async function run(): Promise<Row[]> {
  await using engine = await dockerEngine();
  await ensureBaseImage(engine);
  const rows: Row[] = [];
  for (const target of ['file', 'runtime'] as const) {
    const agent = await buildImage(engine, {
      context: root,
      dockerfile: join(root, 'Dockerfile.agent'),
      target,
    });
    const tag = `berth-bench/agent-${target}:bench`;
    await engine.run(['tag', agent, tag]);
    const { copy, entrypoint } = variants[target];
    const image = await layered(engine, [
      `FROM ${tag} AS agent`,
      `FROM ${baseImage}`,
      `COPY --from=agent ${copy}`,
      `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
    ]);
    const added = ((await size(engine, image)) - (await size(engine, baseImage))) / 1e6;
    rows.push(row(`image with ${target}: size added`, added, 'MB'));
    const [own, bare] = [
      await times(engine, [image]),
      await times(engine, ['--entrypoint', '/bin/sh', baseImage]),
    ];
    rows.push(
      row(`image with ${target}: docker run to the end of \`true\``, own, 'ms', {
        what: 'the same image without the agent',
        value: bare,
      }),
    );
    rows.push(
      row(
        `image with ${target}: private memory of the agent, 10 s after its start`,
        await memory(engine, image),
        'MB',
      ),
    );
  }
  return rows;
}

async function layered(engine: DockerEngine, lines: readonly string[]): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  try {
    await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    return await buildImage(engine, { context });
  } finally {
    await rm(context, { recursive: true });
  }
}

async function size(engine: DockerEngine, image: string): Promise<number> {
  return Number(await engine.run(['image', 'inspect', '-f', '{{.Size}}', image]));
}

/** Milliseconds of `docker run`, the median of several. */
async function times(engine: DockerEngine, image: readonly string[]): Promise<number> {
  const command = image.includes('--entrypoint') ? ['-c', 'true'] : ['/bin/sh', '-c', 'true'];
  const taken: number[] = [];
  for (let index = 0; index <= runs; index += 1) {
    const started = performance.now();
    await engine.run(['run', '--rm', '--init', ...engine.label, ...env, ...image, ...command]);
    if (index > 0) taken.push(performance.now() - started);
  }
  return median(taken);
}

/** Megabytes of its own (Private_Dirty: the pages of the program file, which the kernel can drop, do not count), of the agent in a container whose app sleeps. */
async function memory(engine: DockerEngine, image: string): Promise<number> {
  const container = await engine.start({ image, options: ['--init', ...env], command: ['/bin/sleep', '60'] });
  await delay(10_000); // settled: what starting up has left behind is collected by then
  const listed = await engine.run(['top', container.id, '-eo', 'pid,args']);
  const pid = /^\s*(\d+)\s+(?:\S*\/)?node\s.*agent\.cjs/m.exec(listed)?.[1];
  if (pid === undefined) throw new Error(`there is no agent among:\n${listed}`);
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  await container.remove();
  return (
    [...rollup.matchAll(/^Private_Dirty:\s+(\d+) kB$/gm)].reduce((sum, match) => sum + Number(match[1]), 0) /
    1024
  );
}

export const benchmark = { name: 'images', run };
