import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { startHaproxy } from '../bench/haproxy.ts';
import { type Running, startProcess } from '../bench/processes.ts';
import { startCoordinator, temporaryFolder } from './coordinator-bench.ts';
import { eventually } from './eventually.ts';
import { runBerth } from './run-berth.ts';
import { Client, heartbeat, hello } from './session-bench.ts';

const haproxy = await startHaproxy({ config: { slots: 3 } });
after(() => haproxy.stop());
const haproxyName = `${haproxy.address}:${haproxy.cliPort}`;
const main = join(import.meta.dirname, '../../coordinator/cli/main.ts');

const app = {
  haproxy: 'lb',
  backend: 'app',
  slot: 'node2',
  address: '127.0.0.9',
  port: 8080,
  state: 'ready',
};

describe('berth, asking a coordinator', () => {
  it('shows slots, agents, HAProxys, the audit and a summary, as tables and as JSON', async (t) => {
    const bench = await startCoordinator(t, { haproxy, env: { BERTH_TOKEN: 'secret' } });
    await haproxy.cli('set server app/node2 addr 127.0.0.9 port 8080');
    // Nothing answers there.
    await haproxy.cli('disable health app/node2');
    await haproxy.cli('set server app/node2 state ready');
    const client = await bench.agent('shop-1', {
      service: 'shop',
      container: 'c'.repeat(64),
      hostname: 'shop-1',
    });
    client.send(heartbeat(2, { registrations: [app] }));
    const berth = (...args: string[]) => runBerth(args, bench.env);
    await eventually('the owner shows', async () => (await berth('slots')).out.includes('shop-1'));

    const slots = await berth('slots');
    assert.equal(slots.code, 0);
    const name = haproxyName.padEnd(haproxyName.length);
    assert.equal(
      slots.out,
      [
        `${'HAPROXY'.padEnd(name.length)}  SLOT       STATE  ADDRESS         SERVICE  CONTAINER     AGENT`,
        `${name}  app/node2  ready  127.0.0.9:8080  shop     cccccccccccc  shop-1`,
        '',
      ].join('\n'),
    );
    assert.equal((await berth('slots', '--all')).out.split('\n').length, 5);
    assert.equal((await berth('slots', '--state', 'free')).out.split('\n').length, 4);
    const json = JSON.parse((await berth('slots', '-o', 'json', '--service', 'shop')).out);
    assert.equal(json.items.length, 1);
    assert.equal(json.items[0].container.length, 64);

    const agents = await berth('agents');
    assert.equal(
      agents.out,
      [
        'AGENT   SERVICE  PHASE  SESSION    SLOTS            CONTAINER',
        'shop-1  shop     ready  connected  app/node2 ready  cccccccccccc',
        '',
      ].join('\n'),
    );
    assert.equal((await berth('agents', '--phase', 'draining')).out, 'No agent is known.\n');

    assert.match((await berth('haproxys')).out, /reachable {2}3\.\d+\.\d+\S* +\d+s +3 +1 +2 {2}-\n$/);

    const audit = await berth('audit', '--event', 'agent.*');
    assert.match(audit.out, /^TIME +EVENT +OUTCOME +BY +SERVICE +SLOT +AGENT +REASON\n/);
    assert.match(
      audit.out,
      /T\d\d:\d\d:\d\d\.\d{3}Z {2}agent\.connected {2}ok +coordinator {2}shop +- +shop-1 +agent shop-1 beats\n$/,
    );
    assert.equal((await berth('audit', '--event', 'agent.*', '--until', '1h')).out, 'No such row.\n');
    assert.match(
      (await berth('audit', '-o', 'csv', '--since', '1h')).out,
      /^id,at,event,[^\n]+\n(?:[^\n]+\n)+$/,
    );
    assert.equal(JSON.parse((await berth('audit', '-o', 'json', '-n', '1')).out).items.length, 1);

    const status = await berth('status');
    assert.equal(status.code, 0, status.out);
    assert.match(
      status.out,
      /^coordinator http:\/\/127\.0\.0\.1:\d+: ready\nagents: 1 connected, 1 ready, 0 lost\n\nHAPROXY/,
    );
    assert.equal(JSON.parse((await berth('status', '-o', 'json')).out).ready, true);
    assert.deepEqual(await berth('health', '--ready'), { code: 0, out: 'ok\n', errors: '' });
    await haproxy.cli('set server app/node2 state maint');
    await haproxy.cli('set server app/node2 addr 127.0.0.1 port 1');
  });

  it('pages through lists that are longer than a page', async (t) => {
    const bench = await startCoordinator(t);
    const client = await bench.agent('a1');
    const events = Array.from({ length: 100 }, (_, index) => ({
      event: 'slot.claimed',
      ageMs: 0,
      slot: `node${index}`,
    }));
    client.send(heartbeat(2, { events }));
    client.send(heartbeat(3, { events }));
    await eventually('the rows', async () => {
      const { out } = await runBerth(
        ['audit', '--event', 'slot.claimed', '-n', '150', '-o', 'json'],
        bench.env,
      );
      return JSON.parse(out).items.length === 150;
    });
    const { out } = await runBerth(
      ['audit', '--event', 'slot.claimed', '-n', '5000', '-o', 'json'],
      bench.env,
    );
    const slots = JSON.parse(out).items.map((row: { slot: string }) => row.slot);
    assert.deepEqual(slots, [...events, ...events].map(({ slot }) => slot).reverse());
  });

  it('shows nothing that would move the cursor of a terminal', async (t) => {
    const bench = await startCoordinator(t);
    const client = await bench.agent('a1');
    const events = [{ event: 'slot.claimed', ageMs: 0, reason: 'a\u001b[2Jb\ny' }];
    client.send(heartbeat(2, { registrations: [], events }));
    const audit = () => runBerth(['audit', '--event', 'slot.claimed'], bench.env);
    await eventually('the row', async () => (await audit()).out.includes('slot.claimed'));
    assert.match((await audit()).out, /a\?\[2Jb\?y/);
  });

  it('says what is wrong in one line, with its mend, and exits 1', async (t) => {
    const away = await runBerth(['slots'], { BERTH_URL: 'http://127.0.0.1:9' });
    assert.equal(away.code, 1);
    assert.match(
      away.errors,
      /^berth: no coordinator answers at http:\/\/127\.0\.0\.1:9: .*\(is it running\? .*BERTH_URL\)\n$/,
    );
    const bench = await startCoordinator(t, { env: { BERTH_TOKEN: 'secret' } });
    const stranger = await runBerth(['agents'], { ...bench.env, BERTH_TOKEN: 'other' });
    assert.equal(stranger.code, 1);
    assert.match(stranger.errors, /^berth: the coordinator wants another token \(set BERTH_TOKEN/);
    const other = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    t.after(() => other.close());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    for (const command of ['slots', 'status', 'health']) {
      const { code, errors } = await runBerth([command, '--url', url]);
      assert.equal(code, 1);
      assert.match(errors, /^berth: what answers at .* is not /);
    }
    const unwell = await runBerth(['status'], bench.env);
    assert.equal(unwell.code, 1);
    assert.match(unwell.out, /not ready\n {2}haproxy/);
    const health = await runBerth(['health'], bench.env);
    assert.deepEqual(health, { code: 0, out: 'ok\n', errors: '' });
    assert.equal((await runBerth(['health', '--ready'], bench.env)).code, 1);
  });

  it('exits 64 for what cannot be asked', async () => {
    const wrong: [string[], Record<string, string>, RegExp][] = [
      [['slot'], {}, /unknown command 'slot'.*\n.*slots/s],
      [['slots', '--colour'], {}, /unknown option '--colour'/],
      [['slots', '--state', 'asleep'], {}, /Allowed choices are/],
      [['slots', '-o', 'xml'], {}, /Allowed choices are table, json/],
      [['audit', '-n', 'many'], {}, /whole number/],
      [['audit', '--since', 'yesterday'], {}, /--since is "yesterday".*1h/],
      [['status', '--url', 'coordinator'], {}, /--url is "coordinator".*http:\/\/host:7070/],
      [['status'], { BERTH_URL: 'ftp://x' }, /BERTH_URL is "ftp:\/\/x"/],
      [['status'], { BERTH_TOKEN_FILE: '/none' }, /BERTH_TOKEN_FILE is "\/none", which cannot be read/],
    ];
    for (const [args, env, expected] of wrong) {
      const { code, errors } = await runBerth(args, env);
      assert.equal(code, 64, args.join(' '));
      assert.match(errors, expected);
    }
  });

  it('helps, tells its version, and completes in bash', async () => {
    const help = await runBerth(['--help']);
    assert.equal(help.code, 0);
    for (const command of [
      'serve',
      'health',
      'status',
      'slots',
      'agents',
      'haproxys',
      'audit',
      'doctor',
      'completion',
    ]) {
      assert.match(help.out, new RegExp(`\\n {2}${command}[ \\n]`));
    }
    assert.equal((await runBerth(['--version'])).code, 0);
    const script = (await runBerth(['completion', 'bash'])).out;
    const complete = (...words: string[]) => {
      const list = ['berth', ...words].map((word) => `'${word}'`).join(' ');
      const ask = `COMP_WORDS=(${list}); COMP_CWORD=${words.length}; _berth; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync('bash', ['-c', `${script}\n${ask}`], { encoding: 'utf8' });
      assert.equal(stderr, '');
      return stdout.trim().split('\n');
    };
    assert.deepEqual(complete('s'), ['serve', 'status', 'slots', 'services', 'scale', 'simulate']);
    assert.ok(complete('slots', '--').includes('--backend'));
    assert.deepEqual(complete('slots', '--state', 'd'), ['drain', 'down']);
    assert.deepEqual(complete('audit', '-o', ''), ['table', 'json', 'csv']);
  });
});

describe('berth serve', () => {
  const start = (env: Record<string, string>, args: string[] = []) =>
    startProcess(process.execPath, [main, 'serve', ...args], { env: { ...env, BERTH_LOG_LEVEL: 'info' } });
  const addressOf = async (process: Running): Promise<string> => {
    const line = await process.waitForLine(/"coordinator\.started"/);
    return String(JSON.parse(line).address);
  };
  const environment = (t: TestContext, more: Record<string, string> = {}) => ({
    HAPROXY_SERVER: haproxyName,
    BERTH_LISTEN: '127.0.0.1:0',
    BERTH_DATABASE: `sqlite:${join(temporaryFolder(t, 'berth-serve-'), 'data', 'berth.db')}`,
    ...more,
  });

  it('ends with 0 on SIGTERM and SIGINT, and says so', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const running = await start(environment(t));
      t.after(() => running.stop());
      await addressOf(running);
      running.signal(signal);
      assert.deepEqual(await running.exited, { code: 0, signal: null });
      assert.match(running.output(), new RegExp(`"event":"coordinator.stopping","reason":"${signal}"`));
    }
  });

  it('is not held up by open streams, idle connections and agents that do not answer', async (t) => {
    const running = await start(environment(t));
    t.after(() => running.stop());
    const address = await addressOf(running);
    const events = await fetch(`http://${address}/api/v1/events`);
    assert.equal(events.status, 200);
    const client = new Client(new WebSocket(`ws://${address}/agent`));
    await client.opened;
    client.send(hello('a1'));
    client.send(heartbeat(1));
    await eventually('the welcome', () => client.messages.length >= 1);
    client.socket.pause();
    running.signal('SIGTERM');
    assert.deepEqual(await running.exited, { code: 0, signal: null });
    client.socket.terminate();
    await events.body?.cancel().catch(() => {});
  });

  it('knows its agents and its audit again after SIGKILL', async (t) => {
    const env = environment(t);
    const first = await start(env);
    t.after(() => first.stop());
    const client = new Client(new WebSocket(`ws://${await addressOf(first)}/agent`));
    await client.opened;
    client.send(hello('a1', { service: 'shop' }));
    client.send(heartbeat(1, { registrations: [] }));
    const path = env.BERTH_DATABASE.slice('sqlite:'.length);
    await eventually('the agent is saved', () => {
      const database = new DatabaseSync(path, { readOnly: true });
      try {
        return database.prepare("select phase from agents where id = 'a1'").get()?.['phase'] === 'ready';
      } finally {
        database.close();
      }
    });
    await first.killAll();
    const second = await start(env);
    t.after(() => second.stop());
    const url = `http://${await addressOf(second)}`;
    const agents = JSON.parse((await runBerth(['agents', '-o', 'json', '--url', url])).out).items;
    assert.equal(agents[0].id, 'a1');
    assert.equal(agents[0].connected, false);
    assert.equal(agents[0].heardMsAgo, null);
    const events = JSON.parse((await runBerth(['audit', '-o', 'json', '--url', url])).out).items.map(
      (row: { event: string }) => row.event,
    );
    assert.ok(events.includes('agent.connected'));
    assert.equal(events.filter((event: string) => event === 'coordinator.started').length, 2);
  });

  it('exits 64 with one line for each problem', async (t) => {
    const folder = temporaryFolder(t, 'berth-serve-');
    const file = join(folder, 'berth.yaml');
    writeFileSync(file, 'haproxy:\n  sever: lb1\nlisten: nowhere\n');
    const running = await start({ BERTH_HEARTBEAT: 'x', HAPROXY_SERVER: '' }, ['--config', file]);
    assert.deepEqual(await running.exited, { code: 64, signal: null });
    const lines = running.output().trim().split('\n');
    assert.equal(lines.length, 4);
    assert.equal(
      lines[0],
      `berth: ${file}:2:3: there is no option haproxy.sever: did you mean haproxy.server?`,
    );
    for (const line of lines) assert.match(line, /^berth: /);
  });

  it('exits 64 when its data folder or its address cannot be used', async (t) => {
    const folder = temporaryFolder(t, 'berth-serve-');
    writeFileSync(join(folder, 'file'), '');
    const data = await start(
      environment(t, { BERTH_DATABASE: `sqlite:${join(folder, 'file', 'berth.db')}` }),
    );
    assert.equal((await data.exited).code, 64);
    assert.match(data.output(), /^berth: BERTH_DATABASE is .* cannot be written: .*mount a volume/m);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    t.after(() => other.close());
    const taken = await start(
      environment(t, { BERTH_LISTEN: `127.0.0.1:${(other.address() as AddressInfo).port}` }),
    );
    assert.equal((await taken.exited).code, 64);
    assert.match(
      taken.output(),
      /^berth: BERTH_LISTEN: 127\.0\.0\.1:\d+ cannot be listened on: .*EADDRINUSE.*another port/m,
    );
  });

  it('goes on when nobody reads its log any more', async (t) => {
    const env = { ...process.env, ...environment(t) };
    const child = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const address = await eventually('the address', () => /"address":"([^"]+)"/.exec(output)?.[1]);
    child.stdout.destroy();
    for (let round = 0; round < 20; round += 1) {
      const client = new Client(new WebSocket(`ws://${address}/agent`));
      await client.opened;
      client.send(hello(`a${round}`));
      client.send(heartbeat(1));
      await eventually('the welcome', () => client.messages.length >= 1);
      client.socket.terminate();
    }
    assert.equal((await fetch(`http://${address}/livez`)).status, 200);
    assert.equal(child.exitCode, null);
  });
});
