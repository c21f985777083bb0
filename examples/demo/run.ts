// `npm run demo`: HAProxy, the coordinator and three instances of an app, steady traffic, and a story of what happens to
// them. `--once` plays the story and ends, with a non-zero code when a promise was not kept; without it everything stays
// up afterwards until Ctrl-C.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startLoad } from '../../test/bench/load.ts';
import { runProcess } from '../../test/bench/processes.ts';
import { chooseHost } from './instances.ts';
import { setStage } from './stage.ts';
import { playStory } from './story.ts';
import { formatTable, LiveTable } from './table.ts';

const help = `npm run demo [-- OPTIONS]

Starts HAProxy, a coordinator and three instances of an app, in Docker if it can, keeps traffic on them and tells a
story: an instance stopped, one killed, HAProxy killed, the coordinator killed.

  --once       play the story and end; the exit code says whether every promise was kept
  --rate N     requests per second (default 100)
  --help       this text
`;

const root = join(import.meta.dirname, '..', '..');
const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    rate: { type: 'string', default: '100' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}
const rate = Number(values.rate);
if (!Number.isInteger(rate) || rate < 1 || rate > 2000) {
  process.stderr.write(`demo: --rate ${values.rate} is not a whole number from 1 to 2000\n`);
  process.exit(64);
}

const table = new LiveTable(process.stdout);
const tell = (line: string) => {
  table.clear();
  process.stdout.write(`${line}\n`);
};
const timed = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
  const started = performance.now();
  const value = await act();
  tell(`  ${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return value;
};

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

tell('Setting the stage; what is missing is installed, which takes a minute or two the first time.');
const folder = await mkdtemp(join(tmpdir(), 'berth-demo-'));
const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
let code = 1;
try {
  await timed('built dist/agent.cjs and dist/berth.mjs', () =>
    runProcess(process.execPath, [join(root, 'build.ts')], { deadlineMs: 60_000 }),
  );
  const host = await timed('a place for the instances', () =>
    chooseHost(join(root, 'dist', 'agent.cjs'), join(folder, 'mount'), tell),
  );
  closers.unshift(() => host.close());
  tell(`  instances are ${host.kind}`);
  const stage = await timed('HAProxy is up', () =>
    setStage(host.address, folder, join(root, 'dist', 'berth.mjs'), host.engine?.host),
  );
  closers.unshift(() => stage.close());
  await timed('the coordinator is up', () => stage.startCoordinator());
  const instances = ['shop-1', 'shop-2', 'shop-3'].map((name) => host.instance(name, stage.env));
  await timed('three instances are started', () =>
    Promise.all(instances.map((instance) => instance.start())),
  );
  await timed('all three serve', async () => {
    const deadline = performance.now() + 30_000;
    while ((await stage.readyAddresses()).length < 3) {
      if (performance.now() > deadline) {
        throw new Error(
          `the instances do not get slots; the first one wrote:\n${await instances[0]?.logs()}\nthe coordinator wrote:\n${stage.coordinatorOutput()}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  tell('');
  tell(`  traffic   ${stage.haproxy.url()}/   ${rate} requests a second`);
  tell(
    `  API       ${stage.apiUrl}/api/v1/slots   (header "authorization: Bearer ${stage.env['BERTH_TOKEN']}")`,
  );

  const load = startLoad({ url: `${stage.haproxy.url()}/`, ratePerSecond: rate, maxSeconds: 3600 });
  closers.unshift(() => load.stop());
  const draw = setInterval(async () => {
    const slots = await stage.slots();
    if (slots !== undefined) table.draw(['', ...formatTable(slots, load.total, true)]);
  }, 250);
  closers.unshift(async () => clearInterval(draw));

  const results = await playStory({ stage, load, instances, tell, engine: host.engine });
  const broken = results.flatMap((result) => result.broken.map((promise) => `${result.title}: ${promise}`));
  tell('');
  const sent = results.reduce((sum, result) => sum + result.sent, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  tell(
    `${sent} requests sent, ${failed} failed, all of them while an instance or HAProxy was killed${broken.length > 0 ? ', or by a broken promise' : ''}.`,
  );
  for (const promise of broken) tell(`✘ ${promise}`);
  tell(broken.length === 0 ? 'Every promise was kept.' : `${broken.length} promises were not kept.`);
  code = broken.length === 0 ? 0 : 1;
  if (!values.once && !interrupted.signal.aborted) {
    tell('Everything stays up; Ctrl-C ends it.');
    await new Promise((resolve) => interrupted.signal.addEventListener('abort', resolve, { once: true }));
  }
} catch (error) {
  tell(`demo: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  table.clear();
  for (const close of closers) {
    await close().catch((error: unknown) => process.stderr.write(`demo: while closing: ${error}\n`));
  }
}
process.exit(code);
