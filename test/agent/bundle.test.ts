// dist/agent.cjs lives in other people's images: it must be small, self-contained, and run on Node 20.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startApp } from '../bench/app.ts';
import { cached } from '../bench/cache.ts';
import { runProcess, startProcess } from '../bench/processes.ts';
import { agentBundle, memoryFlags } from './agent-bundle.ts';
import { leastEnvironment, parseLog } from './agent-process.ts';
import { startCoordinator } from './coordinator.ts';
import { startLoadBalancer, untilSlot } from './fleet.ts';

let text: string;
before(async () => {
  text = readFileSync(await agentBundle(), 'utf8');
});

test('it is at most 150 KB, and 45 KB gzip', () => {
  const bytes = Buffer.byteLength(text);
  const packed = gzipSync(text, { level: 9 }).length;
  assert.ok(bytes <= 150_000, `${bytes} bytes`);
  assert.ok(packed <= 45_000, `${packed} bytes gzip`);
});

test('it needs nothing but what Node has', () => {
  const required = new Set([...text.matchAll(/\brequire\("([^"]+)"\)/g)].map((match) => match[1] ?? ''));
  // ws uses these two if they are there, and does without.
  const optional = ['bufferutil', 'utf-8-validate'];
  const foreign = [...required].filter((name) => !builtinModules.includes(name.replace('node:', '')));
  assert.deepEqual(
    foreign.filter((name) => !optional.includes(name)),
    [],
  );
});

test('it holds neither undici nor zod, nor parts of ws that an agent never uses', () => {
  for (const mark of ['undici', 'ZodObject', '$ZodType', 'WebSocketServer is', 'zlib']) {
    assert.ok(!text.includes(mark), mark);
  }
});

/** Node 20, from the same npm packages as the project's own Node. */
async function node20(): Promise<string> {
  const folder = await cached('node-20', async (into) => {
    const name = `node-linux-${process.arch}@20`;
    await runProcess('npm', ['install', '--prefix', into, '--no-save', '--ignore-scripts', name], {
      cwd: into,
      deadlineMs: 180_000,
    });
  });
  return join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
}

for (const flags of [[], memoryFlags]) {
  const title = flags.length === 0 ? '' : ', with the flags of the entrypoints';
  test(`it runs on Node 20${title}: registers, beats, answers health, and leaves`, async () => {
    const node = await node20();
    assert.match(await runProcess(node, ['--version']), /^v20\./);
    await using haproxy = await startLoadBalancer();
    await using coordinator = await startCoordinator();
    await using app = await startApp();
    const env = {
      ...leastEnvironment,
      HAPROXY_SERVER: `127.0.0.1:${haproxy.cliPort}`,
      NODE_COUNT: '5',
      BERTH_APP_PORT: String(app.port),
      BERTH_APP_METRICS: 'begun=/stats#begun',
      BERTH_READY: '/healthz',
      BERTH_COORDINATOR: coordinator.url,
    };
    await using agent = await startProcess(node, [...flags, await agentBundle()], { env });
    await untilSlot(haproxy, app.port, 'ready');
    const { metrics = {} } = await coordinator.heartbeat(
      'with a number',
      (beat) => beat.metrics?.['begun'] !== undefined,
    );
    // A sidecar's container is not the app's.
    assert.deepEqual(Object.keys(metrics), ['begun']);
    assert.match(await runProcess(node, [await agentBundle(), 'health'], { env }), /^ready; /);
    agent.signal('SIGTERM');
    assert.equal((await agent.exited).code, 0, agent.output());
    assert.ok(parseLog(agent.output()).some(({ event }) => event === 'slot.released'));
    const wrapped = await startProcess(node, [...flags, await agentBundle(), '--', 'sh', '-c', 'exit 9'], {
      env: leastEnvironment,
    });
    assert.equal((await wrapped.exited).code, 9, wrapped.output());
  });
}

test('all entrypoints give the same flags to its Node', () => {
  const root = join(import.meta.dirname, '..', '..');
  const line = (name: string) => readFileSync(join(root, name), 'utf8').replaceAll(/[",']/g, '');
  const files = ['agent/entrypoint.sh', 'Dockerfile.agent', 'build-executable.ts'];
  const examples = ['node', 'no-shell'].map((example) => `examples/apps/${example}/Dockerfile`);
  for (const file of [...files, ...examples]) assert.ok(line(file).includes(memoryFlags.join(' ')), file);
});
