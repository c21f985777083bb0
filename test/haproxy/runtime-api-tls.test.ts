// The production way to an admin socket over a network: a `mode tcp` frontend that wants client certificates in front of
// the unix socket (HAPROXY.md, "The sockets"), with certificates that openssl makes here.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isBerthError } from '../../shared/errors.ts';
import { commands } from '../../shared/haproxy/commands.ts';
import type { Endpoint } from '../../shared/haproxy/endpoint.ts';
import { createRuntimeApi } from '../../shared/haproxy/runtime-api.ts';
import { parseServersState } from '../../shared/haproxy/servers-state.ts';
import { type Haproxy, haproxyVersions, startHaproxy, templateConfig } from '../bench/haproxy.ts';
import { ensurePackages } from '../bench/packages.ts';
import { runProcess } from '../bench/processes.ts';

let folder = '';
const pem = (name: string) => readFile(join(folder, name), 'utf8');
const openssl = (...args: string[]) => runProcess('openssl', args, { cwd: folder });

async function makeAuthority(name: string): Promise<void> {
  const subject = ['-subj', `/CN=${name}`, '-days', '1'];
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    ...subject,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
  );
}

async function makeCertificate(name: string, authority: string, alternative: string): Promise<void> {
  await writeFile(join(folder, `${name}.ext`), `subjectAltName=${alternative}\n`);
  await openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  );
  await openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    `${authority}.pem`,
    '-CAkey',
    `${authority}.key`,
    '-CAcreateserial',
    '-days',
    '1',
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
  );
  await writeFile(join(folder, `${name}.both`), (await pem(`${name}.pem`)) + (await pem(`${name}.key`)));
}

before(async () => {
  await ensurePackages('openssl');
  folder = await mkdtemp(join(tmpdir(), 'berth-tls-'));
  await makeAuthority('ours');
  await makeAuthority('theirs');
  await makeCertificate('haproxy', 'ours', 'DNS:lb.test,IP:127.0.0.1');
  await makeCertificate('agent', 'ours', 'DNS:agent');
  await makeCertificate('stranger', 'theirs', 'DNS:agent');
});
after(() => rm(folder, { recursive: true, force: true }));

for (const version of haproxyVersions) {
  describe(`HAProxy ${version}, the Runtime API behind TLS with client certificates`, () => {
    let haproxy: Haproxy;
    let port = 0;
    const endpoint = async (client: string | undefined, authority = 'ours'): Promise<Endpoint> => ({
      name: 'lb',
      host: '127.0.0.1',
      port,
      tls: {
        ca: await pem(`${authority}.pem`),
        cert: client === undefined ? undefined : await pem(`${client}.pem`),
        key: client === undefined ? undefined : await pem(`${client}.key`),
      },
    });
    const refused = async (wrong: Endpoint) =>
      assert.rejects(createRuntimeApi(wrong).transact([commands.showInfo()]), (error) => {
        assert.ok(isBerthError(error, 'haproxy.unreachable'), String(error));
        assert.match(error.hint ?? '', /certificate/);
        return true;
      });

    before(async () => {
      haproxy = await startHaproxy({
        version,
        config: (paths) => {
          port = paths.httpPort('admin-tls');
          return `${templateConfig({ slots: 3 })(paths)}
frontend admin-tls
  mode tcp
  bind 127.0.0.1:${port} ssl crt ${folder}/haproxy.both ca-file ${folder}/ours.pem verify required
  default_backend admin-socket
backend admin-socket
  mode tcp
  server admin unix@${paths.socket}
`;
        },
      });
    });
    after(() => haproxy[Symbol.asyncDispose]());

    test('an agent with its certificate reads, writes, and learns its own address', async () => {
      const api = createRuntimeApi(await endpoint('agent'));
      const slot = { backend: 'app', name: 'node2' };
      const { replies, localAddress } = await api.transact([
        commands.setAddress(slot, '10.0.0.9', 80),
        commands.showServersState('app'),
      ]);
      assert.equal(localAddress, '127.0.0.1');
      assert.match(replies[0]?.text ?? '', /IP changed/);
      const { replies: later } = await api.transact([commands.showServersState('app')]);
      assert.ok(later[0]);
      assert.equal(parseServersState(later[0])[1]?.address, '10.0.0.9');
    });

    test('no certificate, a stranger’s, or the wrong CA for the server: refused, with the mend', async () => {
      await refused(await endpoint(undefined));
      await refused(await endpoint('stranger'));
      await refused(await endpoint('agent', 'theirs'));
    });

    test('the name in the certificate is checked against the name that was resolved', async () => {
      const good = await endpoint('agent');
      await createRuntimeApi({ ...good, serverName: 'lb.test' }).transact([commands.showInfo()]);
      await refused({ ...good, serverName: 'other.test' });
    });

    test('a certificate that is none: the same error, not an exception of another kind', async () => {
      const good = await endpoint('agent');
      await refused({ ...good, tls: { ca: undefined, cert: 'nonsense', key: 'nonsense' } });
    });

    test('without TLS to the TLS port: a bad reply that asks about TLS', async () => {
      const { tls: _, ...plain } = await endpoint(undefined);
      await assert.rejects(createRuntimeApi(plain).transact([commands.showInfo()]), (error) => {
        assert.ok(isBerthError(error, 'haproxy.bad-reply', 'haproxy.unreachable'), String(error));
        assert.match(error.hint ?? '', /TLS|port open/);
        return true;
      });
    });
  });
}
