// A certificate authority of a test's own, with a certificate for 127.0.0.1 and one for a client.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from '../bench/packages.ts';
import { runProcess } from '../bench/processes.ts';

export interface Certificates extends AsyncDisposable {
  readonly folder: string;
  /** PEM files. */
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** What `https.createServer` takes; clients must present a certificate. */
  serverOptions(): Promise<{
    ca: string;
    cert: string;
    key: string;
    requestCert: true;
    rejectUnauthorized: true;
  }>;
}

export async function makeCertificates(): Promise<Certificates> {
  await ensurePackages('openssl');
  const folder = await mkdtemp(join(tmpdir(), 'berth-certificates-'));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => runProcess('openssl', args);
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const caFiles = ['-keyout', file('ca.key'), '-out', file('ca.pem')];
  await openssl('req', '-x509', ...ec, ...caFiles, '-subj', '/CN=Berth test authority', '-days', '2');
  await writeFile(file('server.ext'), 'subjectAltName=IP:127.0.0.1\n');
  await writeFile(file('client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const name of ['server', 'client']) {
    const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.csr`)];
    await openssl('req', ...ec, ...files, '-subj', `/CN=${name}`);
    const signed = ['-in', file(`${name}.csr`), '-out', file(`${name}.pem`), '-extfile', file(`${name}.ext`)];
    await openssl('x509', '-req', ...signed, '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-days', '2');
  }
  return {
    folder,
    ca: file('ca.pem'),
    serverCert: file('server.pem'),
    serverKey: file('server.key'),
    clientCert: file('client.pem'),
    clientKey: file('client.key'),
    serverOptions: async () => ({
      ca: await readFile(file('ca.pem'), 'utf8'),
      cert: await readFile(file('server.pem'), 'utf8'),
      key: await readFile(file('server.key'), 'utf8'),
      requestCert: true,
      rejectUnauthorized: true,
    }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
