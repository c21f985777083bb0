import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensurePackages } from '../bench/packages.ts';
import { runProcess } from '../bench/processes.ts';
import { agentBundle } from './agent-bundle.ts';
import { leastEnvironment, startAgent } from './agent-process.ts';

/** The agent with its standard streams in the test's hands, and a silent log. */
async function spawnAgent(app: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [await agentBundle(), '--', ...app], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...leastEnvironment, BERTH_LOG_LEVEL: 'silent', ...env },
  });
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function privateKilobytes(child: ChildProcess): number {
  const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
  return Number(/^Private_Dirty:\s+(\d+)/m.exec(rollup)?.[1]);
}

test("stdin is the app's own, and its end arrives", async () => {
  const agent = await spawnAgent(['sh', '-c', 'cat; echo end of file']);
  agent.stdin.write('one\n');
  agent.stdin.end('two\n');
  assert.equal(await textOf(agent.stdout), 'one\ntwo\nend of file\n');
});

test('stderr holds nothing but what the app wrote when the log is silent', async () => {
  const agent = await spawnAgent(['sh', '-c', 'echo out; echo error >&2; exit 3']);
  const [out, error, [code]] = await Promise.all([
    textOf(agent.stdout),
    textOf(agent.stderr),
    once(agent, 'exit'),
  ]);
  assert.deepEqual([out, error, code], ['out\n', 'error\n', 3]);
});

test('1 GB through stdout is intact, and the agent needs no more memory for it', async () => {
  const megabyte = 1024 * 1024;
  const block = randomBytes(megabyte);
  const source = `
    const { writeSync } = require('node:fs');
    const block = Buffer.from(process.env.BLOCK, 'base64').subarray(0, 65536);
    process.stdin.once('data', () => {
      for (let count = 0; count < 16_384; count += 1) {
        for (let at = 0; at < block.length; ) {
          try { at += writeSync(1, block, at); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
        }
      }
      process.exit(0);
    });
    console.error('ready');
  `;
  const part = block.subarray(0, 65536);
  const agent = await spawnAgent([process.execPath, '-e', source], { BLOCK: part.toString('base64') });
  await once(agent.stderr, 'data');
  const before = privateKilobytes(agent);
  const hash = createHash('sha256');
  let bytes = 0;
  let most = before;
  agent.stdin.write('go\n');
  for await (const chunk of agent.stdout) {
    hash.update(chunk);
    const seen = bytes;
    bytes += chunk.length;
    if (
      Math.floor(bytes / (128 * megabyte)) > Math.floor(seen / (128 * megabyte)) &&
      agent.exitCode === null
    ) {
      most = Math.max(most, privateKilobytes(agent));
    }
  }
  const expected = createHash('sha256');
  for (let count = 0; count < 16_384; count += 1) expected.update(part);
  assert.equal(bytes, 1024 * megabyte);
  assert.equal(hash.digest('hex'), expected.digest('hex'));
  assert.ok(most - before < 4096, `private memory went from ${before} to ${most} KB`);
});

test('working directory, umask, limits and environment are as given, without the secrets', async () => {
  const secrets = {
    BERTH_TOKEN: 'hush-1',
    HAPROXY_TLS_KEY: '-----BEGIN hush-2',
    HAPROXY_TLS_CERT: '-----BEGIN cert',
    BERTH_STATE_DIR: '/tmp',
  };
  const show = 'pwd; umask; ulimit -Sn; ulimit -Hn; ulimit -c; env';
  const given = `cd /usr/lib && umask 027 && ulimit -c 0 && ulimit -Sn 777 && exec "$@"`;
  const run = (words: string[]) =>
    runProcess('sh', ['-c', given, 'sh', ...words], {
      env: { ...leastEnvironment, ...secrets, BERTH_LOG_LEVEL: 'silent', MARK: 'a b\nc' },
    });
  const without = (text: string) => text.split('\n').filter((line) => !/^(?:_|SHLVL|PWD|OLDPWD)=/.test(line));
  const direct = without(await run(['sh', '-c', show]));
  // Through another shell, as under an init: the limits that were given are those of the agent's parent.
  const wrapped = without(
    await run([
      'sh',
      '-c',
      '"$@"; exit $?',
      'sh',
      process.execPath,
      await agentBundle(),
      '--',
      'sh',
      '-c',
      show,
    ]),
  );
  const hidden = direct.filter((line) => /^(?:BERTH_TOKEN|HAPROXY_TLS_KEY)=/.test(line));
  assert.deepEqual(wrapped.toSorted(), direct.filter((line) => !hidden.includes(line)).toSorted());
  assert.equal(hidden.length, 2);
  assert.ok(wrapped.includes('777'), 'the soft limit of open files');
});

test('the app has the terminal: it is one, and Ctrl-C reaches it once', async () => {
  await ensurePackages('bsdutils');
  const app = `
    if (!process.stdin.isTTY || !process.stdout.isTTY) { console.log('no terminal'); process.exit(1); }
    let count = 0;
    process.on('SIGINT', () => {
      count += 1;
      if (count === 1) setTimeout(() => { console.log('interrupts: ' + count); process.exit(0); }, 300);
    });
    setInterval(() => undefined, 1000);
    console.log('at a terminal');
  `;
  const words = [process.execPath, await agentBundle(), '--', process.execPath, '-e', app];
  const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const script = spawn('script', ['-qec', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...leastEnvironment, BERTH_LOG_LEVEL: 'silent' },
  });
  let output = '';
  for await (const chunk of script.stdout) {
    const isFirst = !output.includes('at a terminal');
    output += String(chunk);
    if (isFirst && output.includes('at a terminal')) script.stdin.write('\x03');
  }
  assert.match(output, /interrupts: 1\r?\n/);
});

test('a reader of stderr that does not read stops neither the agent nor its signals', {
  timeout: 20_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-fifo-'));
  const fifo = join(folder, 'stderr');
  await runProcess('mkfifo', [fifo]);
  // Open for reading and writing, so that opening waits for nobody; filled, and read by nobody.
  const filler = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  assert.throws(() => {
    for (;;) writeSync(filler, Buffer.alloc(4096));
  }, /EAGAIN/);
  const end = openSync(fifo, constants.O_WRONLY);
  const agent = spawn(
    process.execPath,
    [await agentBundle(), '--', 'sh', '-c', 'echo ready; exec sleep 60'],
    {
      stdio: ['ignore', 'pipe', end],
      env: { ...process.env, ...leastEnvironment, BERTH_LOG_LEVEL: 'debug' },
    },
  );
  assert.ok(agent.stdout);
  await once(agent.stdout, 'data');
  agent.kill('SIGTERM');
  const [code] = await once(agent, 'exit');
  closeSync(end);
  closeSync(filler);
  rmSync(folder, { recursive: true });
  assert.equal(code, 143);
});

test('the agent that is started with --version starts nothing else', async () => {
  const agent = await startAgent(['--version']);
  assert.equal((await agent.exited).code, 0);
  assert.match(agent.output(), /^\d+\.\d+\.\d+\n$/);
});
