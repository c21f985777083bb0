// A CA, a server certificate for 127.0.0.1 and a client certificate, as Docker's documentation makes them.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePackages } from '../bench/packages.ts';
import { runProcess } from '../bench/processes.ts';

export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes them in `folder`; gives the paths. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  await ensurePackages('openssl');
  await mkdir(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) => runProcess('openssl', args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca-key.pem'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
  );
  const sign = async (name: string, extensions: string) => {
    await writeFile(at(`${name}.ext`), extensions);
    const [key, request, cert] = [at(`${name}-key.pem`), at(`${name}.csr`), at(`${name}-cert.pem`)];
    await openssl('req', '-new', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
    const authority = ['-CA', at('ca.pem'), '-CAkey', at('ca-key.pem'), '-CAcreateserial'];
    await openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...authority,
      '-out',
      cert,
      '-days',
      '2',
      '-extfile',
      at(`${name}.ext`),
    );
    return { key, cert };
  };
  const server = await sign('server', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
  const client = await sign('client', 'extendedKeyUsage=clientAuth\n');
  return {
    ca: at('ca.pem'),
    serverCert: server.cert,
    serverKey: server.key,
    cert: client.cert,
    key: client.key,
  };
}
