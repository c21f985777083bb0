import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { buildImage } from '../bench/app-image.ts';
import { type Container, dockerEngine } from '../bench/docker.ts';
import { startHaproxy } from '../bench/haproxy.ts';
import { ensureBaseImage } from '../bench/images.ts';
import { eventually } from './eventually.ts';

const engine = await dockerEngine();
after(() => engine.stop());
await ensureBaseImage(engine);
const root = join(import.meta.dirname, '../..');
const image = await buildImage(engine, { context: root, dockerfile: join(root, 'Dockerfile.coordinator') });
const network = await engine.network(`berth-image-${process.pid}`);
const haproxy = await startHaproxy({ address: network.gateway, config: { slots: 5 } });
after(() => haproxy.stop());
const secrets = await mkdtemp(join(tmpdir(), 'berth-secret-'));
await chmod(secrets, 0o755); // the container's user reads it
await writeFile(join(secrets, 'token'), 'secret\n', { mode: 0o644 });
after(() => rm(secrets, { recursive: true }));

const narrow = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];

function startBerth(name: string, options: readonly string[] = []): Promise<Container> {
  return engine.start({
    image,
    network: network.name,
    name: `${name}-${process.pid}`,
    env: { HAPROXY_SERVER: `${haproxy.address}:${haproxy.cliPort}`, BERTH_TOKEN_FILE: '/run/secrets/token' },
    options: [...narrow, '--mount', `type=bind,src=${secrets},dst=/run/secrets,ro`, ...options],
  });
}

const health = (container: Container) =>
  engine.run(['inspect', '-f', '{{.State.Health.Status}}', container.id]);

describe('the image of the coordinator', () => {
  it('runs as an ordinary user on a read-only root without capabilities, healthy, with its token from a file', async (t) => {
    const berth = await startBerth('narrow', ['--health-interval', '1s']);
    t.after(() => berth.remove());
    await eventually('it is healthy', async () => (await health(berth)).trim() === 'healthy', 60_000);
    assert.equal((await berth.exec('id', '-u')).trim(), '1000');
    await assert.rejects(berth.exec('touch', '/usr/local/bin/x'), /Read-only file system/);
    assert.match(await berth.exec('cat', '/proc/1/status'), /^CapEff:\s0+$/m);
    assert.match(await berth.exec('ls', '/data'), /^berth\.db/m);
    const url = `http://${await berth.address()}:7070`;
    assert.equal((await fetch(`${url}/api/v1/slots`)).status, 401);
    const answer = await fetch(`${url}/api/v1/slots`, { headers: { authorization: 'Bearer secret' } });
    assert.equal(((await answer.json()) as { items: unknown[] }).items.length, 5);
    assert.match(await berth.exec('berth', 'status'), /^coordinator http:\/\/127\.0\.0\.1:7070: ready$/m);
    assert.doesNotMatch(await berth.logs(), /secret"/);
  });

  it('stops in order within the time that Docker gives, and finds its data again', async (t) => {
    const volume = `berth-image-${process.pid}`;
    await engine.run(['volume', 'create', ...engine.label, volume]);
    const mount = ['--mount', `type=volume,src=${volume},dst=/data`];
    const first = await startBerth('first', mount);
    t.after(() => first.remove());
    const readAudit = async (berth: Container) =>
      JSON.parse(await berth.exec('berth', 'audit', '-o', 'json')).items;
    await eventually('it answers', async () => (await readAudit(first)).length > 0, 30_000);
    await engine.run(['stop', first.id]);
    assert.equal(await first.exitCode(), 0);
    const second = await startBerth('second', mount);
    t.after(() => second.remove());
    const rows = await eventually('it answers', () => readAudit(second), 30_000);
    const events = rows.map((row: { event: string }) => row.event);
    assert.equal(events.filter((event: string) => event === 'coordinator.started').length, 2);
    assert.ok(events.includes('coordinator.stopped'));
  });

  it('says what to do when its data folder cannot be written', async (t) => {
    const berth = await startBerth('full', ['--tmpfs', '/data:ro']);
    t.after(() => berth.remove());
    assert.equal(await berth.ended(), 64);
    assert.match(
      await berth.logs(),
      /^berth: BERTH_DATABASE is sqlite:\/data\/berth\.db, and \/data cannot be written: .*mount a volume/m,
    );
  });
});
