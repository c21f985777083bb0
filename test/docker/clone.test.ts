// Row 55 and 56: a clone is whole, and its name is free, also when ten are made at once. Against a real engine.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createDockerClient, type DockerClient } from '../../coordinator/targets/docker/client.ts';
import { type CreateOptions, createFromSpec } from '../../coordinator/targets/docker/create-from-spec.ts';
import { isNameClash } from '../../coordinator/targets/docker/docker-error.ts';
import type { InspectedContainer } from '../../coordinator/targets/docker/engine-schema.ts';
import { type ContainerSpec, containerSpecSchema, readSpec } from '../../coordinator/targets/docker/spec.ts';
import { isBerthError } from '../../shared/errors.ts';
import { composeLabels, labels } from '../../shared/labels.ts';
import { type DockerEngine, dockerEngine } from '../bench/docker.ts';
import { freePort } from '../bench/wait.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { ensureTinyImage, tinyImage } from './tiny-image.ts';

const unique = `c${process.pid}`;
const log = memoryLog();
let engine: DockerEngine;
let client: DockerClient;

before(async () => {
  engine = await dockerEngine();
  await ensureTinyImage(engine.run);
  client = createDockerClient({
    name: 'bench',
    address: { socketPath: engine.socketPath },
    tls: undefined,
    from: 'the test',
  });
});
after(async () => {
  client?.close();
  await engine?.stop();
});

/** `docker run -d` with this test's label; gives the id. */
async function run(
  name: string,
  options: readonly string[],
  command: readonly string[] = [],
): Promise<string> {
  return (
    await engine.run(['run', '-d', ...engine.label, '--name', name, ...options, tinyImage, ...command])
  ).trim();
}

async function specOf(id: string): Promise<ContainerSpec> {
  const inspected = await client.inspect(id);
  const spec = readSpec(inspected, await client.image(inspected.Image));
  // As it comes back from the database.
  return containerSpecSchema.parse(JSON.parse(JSON.stringify(spec)));
}

async function cloneOf(id: string, options: Partial<CreateOptions> = {}) {
  const created = await createFromSpec(client, await specOf(id), {
    service: 'web',
    as: 'clone',
    log,
    ...options,
  });
  return { ...created, inspected: await client.inspect(created.id) };
}

/** What belongs to one container, and so differs in its clone. */
function withoutOwn({ Id, Name, Config, HostConfig, NetworkSettings }: InspectedContainer) {
  const { Hostname, Labels, ...config } = Config;
  const networks = Object.entries(NetworkSettings.Networks ?? {}).map(
    ([name, { Aliases, Links, DriverOpts }]) => ({
      name,
      Aliases: (Aliases ?? []).filter((alias) => alias !== Id.slice(0, 12) && alias !== Hostname),
      Links: Links ?? [],
      DriverOpts: DriverOpts ?? {},
    }),
  );
  return {
    Config: { ...config, Hostname: Id.startsWith(Hostname) ? 'the id' : Hostname },
    Labels: Object.fromEntries(Object.entries(Labels ?? {}).filter(([key]) => key !== labels.service)),
    HostConfig: {
      ...HostConfig,
      ContainerIDFile: '',
      Links: HostConfig.Links?.map((link) => link.replace(Name, '/me')),
    },
    networks: networks.sort((a, b) => a.name.localeCompare(b.name)),
  };
}

describe('a clone', () => {
  it('has every field of a container that uses everything, and nothing that belongs to the original alone', async () => {
    const [front, back] = [`${unique}-front`, `${unique}-back`];
    await engine.network(front);
    await engine.run(['network', 'create', ...engine.label, '--subnet', '10.213.77.0/24', back]);
    await engine.run(['volume', 'create', ...engine.label, `${unique}-named`]);
    const port = await freePort();
    const options = `
      --env EMPTY= --user 1000:1000 --workdir /var --entrypoint /bin/sleep --tty --interactive --init --read-only
      --label team=blue --label berth.port=7000 --hostname own-host --domainname example.test
      --volume ${unique}-named:/named:ro --volume /tmp:/bound:ro --volume /anonymous
      --mount type=volume,source=${unique}-named,destination=/mounted,volume-nocopy
      --mount type=volume,destination=/anonymous-mount
      --tmpfs /scratch:size=1m,mode=1777 --mount type=tmpfs,destination=/scratch2,tmpfs-size=1048576
      --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 --memory 64m --memory-reservation 32m --memory-swap 96m
      --memory-swappiness 10 --pids-limit 50 --oom-score-adj 200 --oom-kill-disable --shm-size 16m
      --publish 7000 --publish 127.0.0.1::7001/udp --publish ${port}-${port + 50}:7002 --expose 7003
      --health-cmd true --health-interval 7s --health-timeout 3s --health-retries 4 --health-start-period 2s
      --restart on-failure:3 --stop-signal SIGUSR1 --stop-timeout 3
      --cap-add NET_ADMIN --cap-drop MKNOD --security-opt no-new-privileges --group-add 2000
      --device /dev/null:/dev/own-null:rw --ulimit nofile=1024:2048 --sysctl net.ipv4.ip_unprivileged_port_start=0
      --log-driver json-file --log-opt max-size=1m --log-opt max-file=2
      --add-host db:10.0.0.9 --dns 10.0.0.53 --dns-search example.test --dns-option ndots:2
      --ipc shareable --pid host --cgroupns private
      --network ${front} --network-alias web --network-alias api`;
    const withSpaces = ['--env', 'TOKEN=a=b c', '--label', `odd=";' $`, '--device-cgroup-rule', 'c 1:3 r'];
    const id = await run(`${unique}_full`, [...options.trim().split(/\s+/), ...withSpaces], ['500']);
    await engine.run(['network', 'connect', '--alias', 'inner', '--ip', '10.213.77.99', back, id]);
    const original = await client.inspect(id);
    const clone = await cloneOf(id);

    assert.deepEqual(withoutOwn(clone.inspected), withoutOwn(original));
    assert.equal(clone.inspected.Image, original.Image);
    assert.equal(clone.inspected.Config.Labels?.[labels.service], 'web');
    // It works: it starts, beside the original, with addresses of its own.
    await client.start(clone.id);
    const [started] = (await client.list()).filter(({ Id }) => Id === clone.id);
    assert.equal(started?.State, 'running');
    const addresses = Object.values(started?.NetworkSettings?.Networks ?? {}).map(
      ({ IPAddress }) => IPAddress,
    );
    assert.equal(addresses.length, 2);
    assert.ok(
      addresses.every((address) => address !== '' && address !== '10.213.77.99'),
      addresses.join(),
    );
    const running = await client.inspect(clone.id);
    assert.deepEqual(withoutOwn(running).networks, withoutOwn(original).networks);
    // Named volumes are shared, anonymous ones are its own.
    const volumes = async (container: string) =>
      (await engine.run(['inspect', '-f', '{{range .Mounts}}{{.Destination}}={{.Name}} {{end}}', container]))
        .trim()
        .split(' ')
        .sort();
    const [ofOriginal, ofClone] = [await volumes(id), await volumes(clone.id)];
    assert.deepEqual(
      ofClone.map((mount) => mount.split('=')[0]),
      ofOriginal.map((mount) => mount.split('=')[0]),
    );
    const shared = ofClone
      .filter((mount) => !mount.endsWith('=') && ofOriginal.includes(mount))
      .map((mount) => mount.split('=')[0]);
    assert.deepEqual(shared, ['/mounted', '/named']);
  });

  // Not compared, since a clone must not have them: id, name, host name made of the id, container id file, static
  // addresses, MAC address, what is in anonymous volumes and in the container's own layer. Swarm's tasks are refused.
  it('has what is rarely used as well', async () => {
    const [source, net] = [`${unique}_source`, `${unique}-rare`];
    await engine.network(net);
    await run(source, ['--volume', '/from-source']);
    const kinds = [
      `--cpu-period 50000 --cpu-quota 25000 --cpuset-mems 0 --blkio-weight 300 --device-read-bps /dev/null:1mb
       --device-write-iops /dev/null:100 --userns host --uts host --cgroup-parent /berth-test --privileged
       --volumes-from ${source}:ro --volume-driver local --no-healthcheck --runtime runc --ulimit core=0 --ulimit nproc=64
       --mount type=bind,source=/tmp,destination=/shared,bind-propagation=rslave --rm --env-file /dev/null
       --label-file /dev/null --link ${source}:src --network ${net}`,
      `--gpus all --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt label=disable
       --ipc private --memory 64m --memory-swap -1 --cap-add ALL
       --cap-drop CHOWN --restart unless-stopped --log-driver none --publish-all --dns 10.0.0.54 --stop-timeout 0
       --ip 10.214.78.9 --network ${net}-fixed`,
    ];
    await engine.run(['network', 'create', ...engine.label, '--subnet', '10.214.78.0/24', `${net}-fixed`]);
    for (const [index, kind] of kinds.entries()) {
      const words = kind.trim().split(/\s+/);
      const name = `${unique}_rare${index}`;
      const id = (await engine.run(['create', ...engine.label, '--name', name, ...words, tinyImage])).trim();
      const original = await client.inspect(id);
      assert.equal(original.HostConfig['AutoRemove'], kind.includes('--rm'));
      // Berth deletes its clones itself.
      const { HostConfig, ...rest } = withoutOwn(original);
      const expected = { ...rest, HostConfig: { ...HostConfig, AutoRemove: false } };
      const clone = await cloneOf(id);
      assert.deepEqual(withoutOwn(clone.inspected), expected);
      const again = await cloneOf(clone.id);
      assert.deepEqual(withoutOwn(again.inspected), expected, 'a clone of the clone, too');
      const addresses = Object.values(clone.inspected.NetworkSettings.Networks ?? {});
      assert.ok(addresses.every((address) => !JSON.stringify(address).includes('10.214.78.9')));
    }
  });

  it('of a plain container of the default network is as plain', async () => {
    const id = await run(`${unique}_plain`, []);
    const clone = await cloneOf(id);
    assert.deepEqual(withoutOwn(clone.inspected), withoutOwn(await client.inspect(id)));
    const spec = await specOf(clone.id);
    assert.deepEqual(
      { ...spec, name: '', config: { ...spec.config, Labels: {} } },
      {
        ...(await specOf(id)),
        name: '',
        config: { ...(await specOf(id)).config, Labels: {} },
      },
    );
  });

  it('has the links of the original, and new volumes where Compose has carried anonymous ones over', async () => {
    const target = await run(`${unique}_linked`, []);
    const first = await run(`${unique}_first`, []);
    const format = '{{range .Mounts}}{{.Name}}{{end}}';
    const kept = (await engine.run(['inspect', '-f', format, first])).trim();
    assert.match(kept, /^[0-9a-f]{64}$/);
    const options = `--link ${unique}_linked:db --volume ${kept}:/image-volume`;
    const id = await run(`${unique}_carried`, options.split(' '));
    const clone = await cloneOf(id);
    assert.deepEqual(clone.inspected.HostConfig.Links, [`/${unique}_linked:/${clone.name}/db`]);
    const own = (await engine.run(['inspect', '-f', format, clone.id])).trim();
    assert.match(own, /^[0-9a-f]{64}$/);
    assert.notEqual(own, kept);
    await client.start(clone.id);
    await client.remove(target, { force: true });
  });

  it('of a container whose network was named by its id, or that left its first one, is in the same networks', async () => {
    const [one, two] = [`${unique}-one`, `${unique}-two`];
    await engine.network(one);
    await engine.network(two);
    const networkId = (await engine.run(['network', 'inspect', '-f', '{{.Id}}', one])).trim();
    const id = await run(`${unique}_by-id`, ['--network', networkId, '--network-alias', 'x']);
    const networksOf = ({ NetworkSettings }: InspectedContainer) =>
      Object.keys(NetworkSettings.Networks ?? {}).sort();
    const { inspected: byId } = await cloneOf(id);
    assert.deepEqual(networksOf(byId), [one]);
    assert.equal(byId.HostConfig.NetworkMode, one);
    await engine.run(['network', 'connect', two, id]);
    await engine.run(['network', 'disconnect', one, id]);
    const { inspected: moved } = await cloneOf(id);
    assert.deepEqual(networksOf(moved), [two]);
    await engine.run(['network', 'disconnect', two, id]);
    const { inspected: alone } = await cloneOf(id);
    assert.deepEqual(networksOf(alone), ['none']);
  });

  it('of a container whose entrypoint was taken away, or said again without a command, has the same command', async () => {
    await ensureTinyImage(engine.run, 'berth-bench/tiny-entrypoint:1', [
      'ENTRYPOINT ["/bin/echo"]',
      'CMD ["hello"]',
    ]);
    for (const [index, options] of [['--entrypoint', ''], ['--entrypoint', '/bin/echo'], []].entries()) {
      const words = index === 0 ? ['sleep', '1'] : [];
      const args = ['create', ...engine.label, '--name', `${unique}_entry${index}`, ...options];
      const id = (await engine.run([...args, 'berth-bench/tiny-entrypoint:1', ...words])).trim();
      const original = await client.inspect(id);
      const { inspected } = await cloneOf(id);
      assert.deepEqual(
        [inspected.Config.Entrypoint, inspected.Config.Cmd],
        [original.Config.Entrypoint, original.Config.Cmd],
      );
    }
  });

  it('with another image takes the command and environment of that image', async () => {
    await ensureTinyImage(engine.run, 'berth-bench/tiny-next:1', [
      'CMD ["sleep", "77"]',
      'ENV FROM_IMAGE=next',
    ]);
    const id = await run(`${unique}_next`, ['--env', 'OWN=1']);
    const { inspected } = await cloneOf(id, { overrides: { image: 'berth-bench/tiny-next:1' } });
    assert.deepEqual(inspected.Config.Cmd, ['sleep', '77']);
    assert.deepEqual([...(inspected.Config.Env ?? [])].sort(), ['FROM_IMAGE=next', 'OWN=1', 'PATH=/bin']);
  });

  it('runs the very image of the original, also when its tag has moved on', async () => {
    const tag = `berth-bench/moving-${unique}:1`;
    await engine.run(['tag', tinyImage, tag]);
    try {
      const id = (await engine.run(['run', '-d', ...engine.label, '--name', `${unique}_moving`, tag])).trim();
      const spec = await specOf(id);
      await ensureTinyImage(engine.run, 'berth-bench/tiny-next:1', [
        'CMD ["sleep", "77"]',
        'ENV FROM_IMAGE=next',
      ]);
      await engine.run(['tag', 'berth-bench/tiny-next:1', tag]);
      const created = await createFromSpec(client, spec, { service: 'web', as: 'clone', log });
      assert.equal((await client.inspect(created.id)).Image, spec.imageId);
      // And it still knows under which name the image was known.
      assert.equal((await specOf(created.id)).image, tag);
      const again = await cloneOf(created.id);
      assert.equal(again.inspected.Image, spec.imageId);
    } finally {
      await engine.run(['rmi', '-f', tag]);
    }
  });

  it('changes labels and environment where it is told to, and is not protected', async () => {
    const id = await run(`${unique}_told`, [
      '--label',
      'berth.protect=true',
      '--label',
      'a=1',
      '--env',
      'A=1',
      '--env',
      'B=2',
    ]);
    const { inspected } = await cloneOf(id, {
      isWarm: true,
      overrides: { labels: { a: undefined, b: '2' }, environment: { A: undefined, B: '3' } },
    });
    const own = inspected.Config.Labels ?? {};
    assert.deepEqual(
      [own[labels.protect], own['a'], own['b'], own[labels.parked]],
      [undefined, undefined, '2', 'true'],
    );
    assert.deepEqual([...(inspected.Config.Env ?? [])].sort(), ['B=3', 'FROM_IMAGE=yes', 'PATH=/bin']);
    const again = await cloneOf(inspected.Id);
    assert.equal(again.inspected.Config.Labels?.[labels.parked], undefined);
  });

  it('gets another host port where the original has a fixed one, or is refused with the reason', async () => {
    const port = await freePort();
    const id = await run(`${unique}_ports`, ['--publish', `127.0.0.1:${port}:7000`]);
    const clone = await cloneOf(id);
    await client.start(clone.id);
    assert.match(await engine.run(['port', clone.id, '7000']), /^127\.0\.0\.1:(?!0$)\d+/);
    await assert.rejects(cloneOf(id, { fixedPorts: 'refuse' }), (error) => {
      assert.ok(isBerthError(error, 'docker.not-cloneable'));
      assert.match(error.message, new RegExp(`7000/tcp is published at the fixed port ${port}`));
      return true;
    });
  });

  it('is refused for a container in the network of the host or of another container', async () => {
    const host = await run(`${unique}_host`, ['--network', 'host']);
    const shared = await run(`${unique}_shared`, ['--network', `container:${host}`]);
    await assert.rejects(cloneOf(host), /uses the host's network/);
    await assert.rejects(cloneOf(shared), /shares the network of another container/);
  });

  it('that can not be connected to its networks is removed again', async () => {
    const id = await run(`${unique}_torn`, []);
    const spec = await specOf(id);
    const torn = {
      ...spec,
      networks: [...spec.networks, { name: 'host', aliases: [], links: [], driverOptions: {} }],
    };
    await assert.rejects(
      createFromSpec(client, torn, { service: 'web', as: 'clone', log }),
      /connected to host network/,
    );
    const names = (await client.list()).flatMap(({ Names }) => Names ?? []);
    assert.deepEqual(
      names.filter((name) => name.startsWith(`/${unique}_torn_`)),
      [],
    );
  });
});

describe('the original again', () => {
  it('comes back under its name with its labels, fixed ports and protection, after it was deleted', async () => {
    const port = await freePort();
    const name = `${unique}_lost`;
    const id = await run(name, [
      '--publish',
      `127.0.0.1:${port}:7000`,
      '--label',
      'berth.protect=true',
      '--label',
      'team=blue',
    ]);
    const [spec, original] = [await specOf(id), await client.inspect(id)];
    await assert.rejects(createFromSpec(client, spec, { service: 'web', as: 'original', log }), isNameClash);
    await client.remove(id, { force: true });
    const created = await createFromSpec(client, spec, { service: 'web', as: 'original', log });
    await client.start(created.id);
    const inspected = await client.inspect(created.id);
    assert.equal(inspected.Name, `/${name}`);
    assert.deepEqual(withoutOwn(inspected), withoutOwn(original));
  });
});

describe('names', () => {
  it('of ten clones that are made at once are ten names', async () => {
    const id = await run(`${unique}_1`, []);
    const spec = await specOf(id);
    const created = await Promise.all(
      Array.from({ length: 10 }, () => createFromSpec(client, spec, { service: 'web', as: 'clone', log })),
    );
    const names = created.map(({ name }) => name).sort();
    assert.deepEqual(names, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((number) => `${unique}_${number}`).sort());
  });

  it('follow the naming convention', async () => {
    const id = await run(`${unique}_app`, []);
    assert.equal((await cloneOf(id, { convention: `${unique}webapp_` })).name, `${unique}webapp_1`);
    assert.equal((await cloneOf(id, { convention: `${unique}webapp_` })).name, `${unique}webapp_2`);
    await assert.rejects(
      cloneOf(id, { convention: '-bad name' }),
      /is not what a container's name can begin with/,
    );
  });

  it('follow the naming convention that a label gives, in the older spelling too, also when ten are made at once', async () => {
    for (const [index, label] of ['container_naming_convention', 'berth.naming'].entries()) {
      const prefix = `${unique}label${index}_`;
      const id = await run(`${unique}_named${index}`, ['--label', `${label}=${prefix}`]);
      const spec = await specOf(id);
      const created = await Promise.all(
        Array.from({ length: 10 }, () => createFromSpec(client, spec, { service: 'web', as: 'clone', log })),
      );
      const numbers = created.map(({ name }) => Number(name.replace(prefix, ''))).sort((a, b) => a - b);
      assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
  });

  it("of clones in a Compose project are Compose's, with container numbers that are free", async () => {
    const project = unique;
    const compose = (service: string, number: number) => [
      ...['--label', `${composeLabels.project}=${project}`, '--label', `${composeLabels.service}=${service}`],
      ...['--label', `${composeLabels.number}=${number}`, '--label', `${composeLabels.oneOff}=False`],
      ...['--label', 'com.docker.compose.config-hash=abc'],
    ];
    const id = await run(`${project}-web-1`, compose('web', 1));
    await run(`elsewhere${unique}`, compose('web', 2));
    await run(`${project}-db-1`, compose('db', 3));
    const { name, inspected } = await cloneOf(id);
    assert.equal(name, `${project}-web-3`);
    const own = inspected.Config.Labels ?? {};
    assert.equal(own[composeLabels.number], '3');
    assert.equal(own['com.docker.compose.config-hash'], 'abc');
    // What `docker compose ps` asks the engine.
    const filters = [
      `${composeLabels.project}=${project}`,
      `${composeLabels.service}=web`,
      `${composeLabels.oneOff}=False`,
    ];
    const listed = await engine.run([
      'ps',
      '-a',
      '--format',
      '{{.Names}}',
      ...filters.flatMap((label) => ['--filter', `label=${label}`]),
    ]);
    assert.ok(listed.split('\n').includes(name));
  });
});
