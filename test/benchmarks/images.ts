// What the agent adds to an app's image: its size, the time from `docker run` to the end of a command, and its private
// memory, for each kind of image. The floors are the same image without it, and bare Node in the same image. Where no
// registry can be reached the images are stand-ins (test/agent/stand-ins.ts); `node:24-alpine` has Node 26 then.
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { memoryFlags } from '../agent/agent-bundle.ts';
import { imageOf } from '../agent/app-images.ts';
import { type Containers, startContainers } from '../agent/containers.ts';
import type { Container, DockerEngine } from '../bench/docker.ts';
import { privateMegabytes } from '../bench/private-memory.ts';
import { imageVariants, type Variant } from './image-variants.ts';
import { median, type Row, row } from './row.ts';

const runs = 7;
const mostMegabytes = 12;

async function run(): Promise<Row[]> {
  await using containers = await startContainers('bench');
  const rows: Row[] = [];
  for (const variant of await imageVariants(containers.engine)) {
    rows.push(...(await measure(containers, variant)));
  }
  return rows;
}

async function measure(containers: Containers, variant: Variant): Promise<Row[]> {
  const { engine } = containers;
  const { name, agent, copy } = variant;
  const without = await imageOf(engine, variant.image.join('\n'));
  const lines = [...variant.image, copy, `ENTRYPOINT ${JSON.stringify(agent)}`];
  const image = await imageOf(engine, lines.join('\n'));
  const [own = 0, bare = 0] = await times(engine, [image, without], variant);
  const memory = await memoryOf(containers, image, variant);
  return [
    row(
      `image, ${name}: size added`,
      ((await size(engine, image)) - (await size(engine, without))) / 1e6,
      'MB',
      {
        what: 'the image',
        value: (await size(engine, without)) / 1e6,
      },
    ),
    row(`image, ${name}: docker run to the end of \`true\``, own, 'ms', {
      what: 'the same without the agent',
      value: bare,
    }),
    row(
      `image, ${name}: private memory 10 s after its slot was ready`,
      memory.own,
      'MB',
      { what: 'bare Node', value: memory.bare },
      { text: `at most ${mostMegabytes} MB`, met: memory.own <= mostMegabytes },
    ),
  ];
}

async function size(engine: DockerEngine, image: string): Promise<number> {
  return Number(await engine.run(['image', 'inspect', '-f', '{{.Size}}', image]));
}

/** Milliseconds of `docker run`, the median of several, for each image; in turn, so that a busy minute hits all. */
async function times(
  engine: DockerEngine,
  images: readonly string[],
  { nothing }: Variant,
): Promise<number[]> {
  const env = ['HAPROXY_SERVER=127.0.0.1:1', 'NODE_COUNT=1', 'PORT=9', 'BERTH_LOG_LEVEL=silent'].flatMap(
    (pair) => ['--env', pair],
  );
  const taken = images.map((): number[] => []);
  for (let index = 0; index <= runs; index += 1) {
    for (const [which, image] of images.entries()) {
      const began = performance.now();
      await engine.run(['run', '--rm', '--init', ...engine.label, ...env, image, ...nothing]);
      if (index > 0) taken[which]?.push(performance.now() - began); // the first one warms the page cache
    }
  }
  return taken.map(median);
}

/** In MB, the larger of two agents in containers of their own, and of two bare Nodes in the same image. */
async function memoryOf(
  containers: Containers,
  image: string,
  { app, port, bareNode }: Variant,
): Promise<{ own: number; bare: number }> {
  const started: Container[] = [];
  const bare: Container[] = [];
  for (let count = 0; count < 2; count += 1) {
    const env = { BERTH_APP_PORT: port };
    started.push(await containers.start({ image, env, options: ['--init'], command: app }));
    const options = ['--entrypoint', bareNode];
    const command = [...memoryFlags, '-e', 'setInterval(() => {}, 1000)'];
    bare.push(await containers.start({ image, options, command }));
  }
  for (const container of started) await containers.untilSlotOf(container, 'ready');
  await delay(10_000); // settled: what starting up has left behind is collected by then
  const most = async (all: readonly Container[], program: RegExp) => {
    const values = all.map((each) => processOf(containers.engine, each, program).then(privateMegabytes));
    return Math.max(...(await Promise.all(values)).map(({ own }) => own));
  };
  const memory = {
    own: await most(started, /^(?:\S*\/)?(?:node\s.*agent\.cjs|berth-agent)\s/),
    bare: await most(bare, /^(?:\S*\/)?node\s/),
  };
  for (const container of bare) await container.remove();
  await containers.discard(...started);
  return memory;
}

/** The process of a container whose command line matches, as the machine knows it. */
async function processOf(engine: DockerEngine, { id }: Container, program: RegExp): Promise<number> {
  const listed = await engine.run(['top', id, '-eo', 'pid']);
  for (const pid of listed.match(/\d+/g) ?? []) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    if (program.test(words)) return Number(pid);
  }
  throw new Error(`none of these is the agent's process: ${listed}`);
}

export const benchmark = { name: 'images', run };
