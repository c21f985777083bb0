// The agent reaches HAProxy through TLS with a client certificate, as examples/haproxy/production.cfg asks for.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Haproxy, templateConfig } from '../bench/haproxy.ts';
import { ensurePackages } from '../bench/packages.ts';
import { runProcess } from '../bench/processes.ts';
import { freePort } from '../bench/wait.ts';
import { slots, startInstance, startLoadBalancer, untilSlot } from './fleet.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-tls-'));
const file = (name: string) => join(folder, name);
let haproxy: Haproxy;
let port: number;

before(async () => {
  await ensurePackages('openssl');
  const script = join(import.meta.dirname, '..', '..', 'examples', 'haproxy', 'make-certificates.sh');
  await runProcess('sh', [script, folder, 'localhost', '127.0.0.1']);
  port = await freePort();
  haproxy = await startLoadBalancer({
    config: (paths) => `${templateConfig({ slots })(paths)}
frontend runtime-api
  mode tcp
  bind 127.0.0.1:${port} ssl crt ${file('runtime-api.pem')} ca-file ${file('agents-ca.pem')} verify required
  default_backend runtime-socket
backend runtime-socket
  mode tcp
  server socket unix@${paths.socket}
`,
  });
});
after(async () => {
  await haproxy?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('with the certificate it registers and leaves; by name and by address, from files and from text', async () => {
  const files = {
    HAPROXY_TLS_CA: file('agents-ca.pem'),
    HAPROXY_TLS_CERT: file('agent.crt'),
    HAPROXY_TLS_KEY_FILE: file('agent.key'),
  };
  const text = {
    HAPROXY_TLS_CA: readFileSync(file('agents-ca.pem'), 'utf8'),
    HAPROXY_TLS_CERT: readFileSync(file('agent.crt'), 'utf8'),
    HAPROXY_TLS_KEY: readFileSync(file('agent.key'), 'utf8'),
  };
  for (const env of [
    { HAPROXY_SERVER: `localhost:${port}`, ...files },
    { HAPROXY_SERVER: `127.0.0.1:${port}`, ...text },
  ]) {
    await using instance = await startInstance(haproxy, env);
    await untilSlot(haproxy, instance.port, 'ready');
    instance.signal('SIGTERM');
    assert.equal((await instance.exited).code, 0);
    await untilSlot(haproxy, instance.port, 'none');
  }
});

test('without a certificate it is refused, says so, and the app runs on', async () => {
  const env = { HAPROXY_SERVER: `localhost:${port}`, HAPROXY_TLS_CA: file('agents-ca.pem') };
  await using instance = await startInstance(haproxy, env);
  const { msg } = await instance.event('registration.failed');
  assert.match(msg, new RegExp(`^HAProxy localhost:${port} `));
  assert.equal(instance.exit(), undefined);
});

test('a server that the authority does not know is refused', async () => {
  const env = {
    HAPROXY_SERVER: `localhost:${port}`,
    HAPROXY_TLS_CERT: file('agent.crt'),
    HAPROXY_TLS_KEY: file('agent.key'),
  };
  await using instance = await startInstance(haproxy, env);
  const { msg } = await instance.event('registration.failed');
  assert.match(msg, /cannot be reached: .*(?:self-signed|unable to)/);
});
