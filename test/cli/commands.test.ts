// The commands against a coordinator over a real HAProxy, without Docker: services are known by their policies and agents.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../coordinator/cli/program.ts';
import { formatWhy } from '../../coordinator/cli/service-commands.ts';
import { startHaproxy } from '../bench/haproxy.ts';
import { startCoordinator, temporaryFolder } from '../coordinator/coordinator-bench.ts';
import { eventually } from '../coordinator/eventually.ts';
import { runBerth } from '../coordinator/run-berth.ts';

const haproxy = await startHaproxy({ config: { slots: 3 } });
after(() => haproxy.stop());

const policy = (maxReplicas = 5) => `policies:
  - name: app
    maxReplicas: ${maxReplicas}
    metrics:
      - source: {type: haproxy, what: sessions}
        target: {type: AverageValue, averageValue: 10}
`;

describe('berth policies', () => {
  it('puts, lists, shows and deletes policies of the database', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    const berth = (...args: string[]) => runBerth(args, bench.env);
    assert.equal((await berth('policies')).out, 'No policy is in force.\n');
    const file = join(bench.folder, 'app.yaml');
    writeFileSync(file, policy());
    const put = await berth('policies', 'put', file);
    assert.equal(
      put.out,
      'POLICY  SERVICE  FROM      MIN  MAX  EVERY  METRICS\napp     app      database    1    5  1s     sessions, alerts\n',
      put.errors,
    );
    assert.equal((await berth('policies')).out, put.out);
    const shown = JSON.parse((await berth('policies', 'get', 'app')).out);
    assert.deepEqual([shown.policy.maxReplicas, shown.document.maxReplicas], [5, 5]);
    writeFileSync(file, policy().replace('sessions', 'session'));
    const wrong = await berth('policies', 'put', file);
    assert.equal(wrong.code, 1);
    assert.match(wrong.errors, /app\.yaml:5:39: /);
    assert.match((await berth('policies', 'get', 'none')).errors, /no policy none is in force/);
    assert.deepEqual(await berth('policies', 'delete', 'app'), {
      code: 0,
      out: 'app: deleted\n',
      errors: '',
    });
    const again = await berth('policies', 'delete', 'app');
    assert.deepEqual([again.code, again.errors], [1, 'berth: there is no policy app in the database\n']);
  });

  it('tells of a policy of the file that is refused', async (t) => {
    const file = join(temporaryFolder(t, 'berth-cli-'), 'policies.yaml');
    writeFileSync(file, `${policy()}  - {name: bad, maxReplicas: 0}\n`);
    const bench = await startCoordinator(t, { haproxy, env: { BERTH_POLICIES: file } });
    const found = await eventually('the policies', async () => {
      const result = await runBerth(['policies'], bench.env);
      return result.out.includes('app') && result;
    });
    assert.match(found.out, /app +app +file/);
    assert.match(found.errors, /berth: .*policies\.yaml:7:\d+: maxReplicas/);
  });
});

describe('berth services, scale, pause, resume and why', () => {
  it('say and change what is wanted', async (t) => {
    const bench = await startCoordinator(t, { haproxy, env: { USER: 'mia' } });
    const berth = (...args: string[]) => runBerth(args, { ...bench.env, USER: 'mia' });
    assert.equal((await berth('services')).out, 'No service is known.\n');
    const file = join(bench.folder, 'app.yaml');
    writeFileSync(file, policy());
    assert.equal((await berth('policies', 'put', file)).code, 0);

    const paused = await berth('pause', 'app', '--mode', 'in', '--for', '2h');
    assert.match(paused.out, /^app: paused \(in\), until \d{4}-/, paused.errors);
    assert.match(
      (await berth('services')).out,
      /^SERVICE +SIZE +CURRENT +SERVING +WANTED +BY +POLICY +PAUSED +WHY\napp +\S+ +0 +0 +\S+ +\S+ +app +in /,
    );
    assert.equal((await berth('resume', 'app')).out, 'app: goes on\n');
    const one = JSON.parse((await berth('services', 'app', '-o', 'json')).out);
    assert.deepEqual([one.service, one.pause, one.instances], ['app', null, []]);

    const refused = await berth('scale', 'app', '3');
    assert.equal(refused.code, 1);
    assert.match(
      refused.errors,
      /^berth: app cannot grow: no instance of it has been seen healthy.*start one instance by hand/,
    );
    assert.match(
      (await berth('scale', 'app', '0', '--for', '30m')).out,
      /^app: 0 wanted, 0 there, until \d{4}-/,
    );
    assert.equal((await berth('scale', 'app', 'auto')).out, 'app: the policy decides again\n');

    const why = await eventually('the hold', async () => {
      const result = await berth('why', 'app');
      return result.out.includes('last hold') && result;
    });
    assert.match(why.out, /^app: 0 there, .*\n/);
    assert.match(why.out, /last act of the audit, \d+s ago:\n {2}scale\.released by mia: /);
    assert.match(why.out, /last hold, \d+s ago:\n {2}app: stays at 0 \(TargetUnreadable\)/);
    const json = JSON.parse((await berth('why', 'app', '-o', 'json')).out);
    assert.equal(json.hold.record.policy, 'app');

    for (const [args, message] of [
      [['why', 'none'], /there is no service none/],
      [['scale', 'none', '2'], /there is no service none/],
      [['scale', 'app', 'two'], /Give a whole number from 0 on, or `auto`/],
      [['pause', 'app', '--for', 'ever'], /Give a duration such as 90s, 30m or 2h/],
      [
        ['pause', 'app', '--for', '99999999999d'],
        /"99999999999d" is not a time to hold for: .*at most 3650d/,
      ],
      [['scale', 'app', '0', '--for', '4000d'], /"4000d" is not a time to hold for/],
      [
        ['alerts', 'silence', '--service', 'app', '--for', '100000000d', '--why', 'x'],
        /"100000000d" is not a time to hold for/,
      ],
      [['pause', 'app', '--mode', 'up'], /Allowed choices are in, out, both/],
    ] as const) {
      const { code, errors } = await berth(...args);
      assert.notEqual(code, 0);
      assert.match(errors, message);
    }

    const report = await berth('report', '--since', '1h');
    assert.match(report.out, /^SERVICE +UPS +ADDED +DOWNS +REMOVED +FAILED +HELD +ROWS +MOST OFTEN\napp +/);
    assert.match((await berth('report', '--by', 'hour')).out, /\n\d{4}-\d\d-\d\dT\d\d:00Z +/);
    assert.match((await berth('report', '--by', 'usage')).out, /^No policy reads CPU or memory/);
    assert.equal(JSON.parse((await berth('report', '--by', 'policy', '-o', 'json')).out).items[0].key, 'app');
    assert.equal((await berth('report', '--since', '1h', '--until', '1h')).out, 'Nothing to report.\n');

    const list = JSON.parse((await berth('audit', '--json', '--event', 'scale.*', '--actor', 'mia')).out);
    assert.deepEqual(
      list.map((row: { event: string }) => row.event),
      ['scale.paused', 'scale.resumed', 'scale.set', 'scale.released'],
    );
    assert.deepEqual([list[2].from, list[2].to], ['0', '0']);
    const written = JSON.parse((await berth('audit', '--json', '--event', 'policy.written')).out);
    assert.deepEqual(
      written.map((row: { actor: string }) => row.actor),
      ['mia'],
    );
    assert.match((await berth('audit', '--csv')).out, /^id,at,event,/);
    const replay = await berth('simulate', file, '--replay-service', 'app');
    assert.match(replay.out, /0 of \d+ would have come out another way\n$/, replay.errors);
  });

  it('explain a change and a hold in words', () => {
    const service = {
      service: 'web',
      current: 4,
      serving: 4,
      wanted: 4,
      wantedBy: 'policy web',
      why: 'web: 2 -> 4 (MetricsAbove)',
      policy: 'web',
      cloneable: true,
      override: null,
      pause: null,
      plan: [],
      instances: [],
    };
    const decision = {
      service: 'web',
      policy: 'web',
      at: '2026-01-01T00:00:00.000Z',
      from: 2,
      to: 4,
      action: 'up' as const,
      reason: 'MetricsAbove',
      limits: [],
      headline: '',
      explanation: 'web: 2 -> 4\n  sessions',
      record: {},
    };
    const hold = {
      ...decision,
      at: '2026-01-01T00:09:58.000Z',
      action: 'none' as const,
      explanation: 'web: stays at 4',
    };
    assert.equal(
      formatWhy(service, { change: decision, hold, act: undefined }, Date.UTC(2026, 0, 1, 0, 10)),
      'web: 4 there, 4 wanted by policy web: web: 2 -> 4 (MetricsAbove)\n\nlast change, 10m ago:\n  web: 2 -> 4\n    sessions\n\nlast hold, 2s ago:\n  web: stays at 4\n',
    );
    assert.match(
      formatWhy({ ...service, policy: null }, { change: undefined, hold: undefined, act: undefined }, 0),
      /\nno policy: the size changes by hand only\n$/,
    );
  });
});

describe('berth drain', () => {
  it('finds an agent by its id, its container or its host name, and calls it back', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    await bench.agent('app-1', { service: 'app', container: 'abcd'.repeat(16), hostname: 'box-1' });
    await bench.agent('app-2', { service: 'app', container: 'abce'.repeat(16), hostname: 'box-2' });
    const berth = (...args: string[]) => runBerth(args, bench.env);
    await eventually(
      'both agents',
      async () => JSON.parse((await berth('agents', '-o', 'json')).out).items.length === 2,
    );
    for (const name of ['app-1', 'abcd', 'box-1']) {
      assert.match(
        (await berth('drain', name, '--reason', 'disk')).out,
        /^app-1: was told to leave traffic/,
        name,
      );
      assert.match((await berth('undrain', name)).out, /^app-1: was told to come back/);
    }
    assert.match((await berth('drain', 'app-3')).errors, /no agent app-3 is known/);
    assert.match((await berth('drain', 'abc')).errors, /no agent abc is known/);
    const rows = JSON.parse((await berth('audit', '--event', 'agent.drain-requested', '-o', 'json')).out);
    assert.equal(rows.items[0].reason, 'disk');
  });
});

describe('berth alerts', () => {
  it('lists the inbox and what fires, silences and unsilences', async (t) => {
    const bench = await startCoordinator(t, { haproxy });
    const berth = (...args: string[]) => runBerth(args, bench.env);
    assert.equal((await berth('alerts')).out, 'No alert was received.\n');
    assert.equal((await berth('alerts', 'live')).out, 'No alert fires.\n');
    assert.equal((await berth('alerts', 'silences')).out, 'Nothing is silenced.\n');
    const posted = await bench.fetch('/api/v1/alerts/generic', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ rule: 'busy', service: 'app', direction: 'up' }),
    });
    assert.equal(posted.status, 200);
    const inbox = await eventually('the row', async () => {
      const { out } = await berth('alerts', '--service', 'app');
      return out.includes('busy') && out;
    });
    assert.match(inbox, /^RECEIVED +ALERT +SERVICE +ACTION +STATUS +STATE +HEARD +REASON\n/);
    const set = JSON.parse(
      (await berth('alerts', 'silence', '--service', 'app', '--for', '2h', '--why', 'test', '-o', 'json'))
        .out,
    );
    assert.deepEqual(set.match, { service: 'app' });
    assert.match((await berth('alerts', 'silences')).out, /service=app/);
    assert.match((await berth('alerts', 'live')).out, new RegExp(`busy .*${set.id}\\n`));
    assert.equal((await berth('alerts', 'unsilence', set.id)).out, `${set.id}: is over\n`);
    const second = await berth('alerts', 'unsilence', set.id);
    assert.match(second.errors, /there is no silence/);
    assert.match(
      (await berth('alerts', 'silence', '--for', '2h', '--why', 'x')).errors,
      /nothing says which alerts are meant/,
    );
  });
});

describe('berth eval', () => {
  it('reads real sources, explains the decision, changes nothing, and fails when a source does', async (t) => {
    const folder = temporaryFolder(t, 'berth-eval-');
    const file = join(folder, 'app.yaml');
    writeFileSync(file, policy());
    const env = {
      HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`,
      BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
    };
    const fine = await runBerth(['eval', file, '--replicas', '3'], env);
    assert.equal(fine.errors, '');
    assert.equal(fine.code, 0);
    assert.match(fine.out, /^METRIC +READING\nsessions +0\n\napp: stays at 3, 0 wanted \(Stabilized\)/);
    assert.match(fine.out, / sessions: 0 .*target 10/);
    const json = JSON.parse((await runBerth(['eval', file, '--replicas', '3', '-o', 'json'], env)).out);
    assert.equal(json.record.inputs.observations.readings.sessions.value, 0);

    writeFileSync(file, policy().replace('sessions', 'requestRate'));
    const rate = await runBerth(['eval', file, '--replicas', '1'], env);
    assert.match(rate.out, /requestRate +\d/, rate.out);

    const none = await runBerth(['eval', file, '--replicas', '3', '--backend', 'none'], env);
    assert.equal(none.code, 1);
    assert.match(none.out, /requestRate +failed \(refused\): .*no HAProxy has a backend none/);
    assert.match(none.out, /stays at 3.*AllSourcesFailed/);
    const unasked = await runBerth(['eval', file], { ...env, BERTH_URL: 'http://127.0.0.1:1' });
    assert.equal(unasked.code, 1);
    assert.match(unasked.errors, /how many instances app has cannot be asked: .*say it with --replicas N/);

    const bench = await startCoordinator(t, { haproxy });
    const stored = join(bench.folder, 'app.yaml');
    writeFileSync(stored, policy());
    assert.equal((await runBerth(['policies', 'put', stored], bench.env)).code, 0);
    const asked = await runBerth(['eval', stored, '--service', 'app'], bench.env);
    assert.match(asked.out, /sessions +0\n\napp: stays at 0/, asked.errors);
  });
});

describe('every command', () => {
  const output = { write: () => {}, warn: () => {} };
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

  it('has help with a description of each option, and an example that it understands itself', async () => {
    const program = createProgram({}, output, () => {});
    for (const command of leaves(program)) {
      const path: string[] = [];
      for (let one: Command | null = command; one !== null && one !== program; one = one.parent)
        path.unshift(one.name());
      const { code, out } = await runBerth([...path, '--help']);
      assert.equal(code, 0);
      assert.ok(command.description() !== '', path.join(' '));
      for (const option of command.options)
        assert.ok(option.description !== '', `${path.join(' ')} ${option.long}`);
      if (path[0] === 'completion') continue;
      const example = /\nExample:\n {2}berth (.*)\n/.exec(out)?.[1] ?? '';
      assert.ok(
        example.startsWith(path.filter((word) => word !== 'list').join(' ')),
        `${path.join(' ')}: ${example}`,
      );
      const known = new Set(command.options.map(({ long }) => long));
      for (const [flag] of example.matchAll(/--[a-z-]+/g))
        assert.ok(known.has(flag), `${path.join(' ')}: ${flag}`);
    }
  });

  it('is completed, with its own commands and the choices of its options', async () => {
    const { out } = await runBerth(['completion', 'bash']);
    const complete = (...words: string[]) => {
      const script = `${out}\nCOMP_WORDS=(berth ${words.map((word) => `'${word}'`).join(' ')})\nCOMP_CWORD=${words.length}\n_berth\necho "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ');
    };
    assert.deepEqual(complete('sim'), ['simulate']);
    assert.deepEqual(complete('policies', 'p'), ['put']);
    assert.deepEqual(complete('alerts', 'uns'), ['unsilence']);
    assert.deepEqual(complete('pause', '--mode', ''), ['in', 'out', 'both']);
    assert.deepEqual(complete('report', '--by', 'u'), ['usage']);
    assert.deepEqual(complete('simulate', '--replay-'), ['--replay-service']);
  });
});
