// Credentials come from files and are read at every use, so a rotated secret is used at once. They appear in no error:
// whatever text a peer or a driver gives back has them cut out.
import { readFile } from 'node:fs/promises';
import type { SourceAuth, SourceTls } from '../policy/source-schema.ts';
import { failedReading, ReadingError } from './reading-error.ts';

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly bearer?: string;
}

/** PEM texts. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** @throws ReadingError `unauthorized` when a file can't be read or is empty */
export async function readCredentials(auth: SourceAuth): Promise<Credentials> {
  if (auth === undefined) return {};
  const { username, passwordFile, bearerFile } = auth;
  return {
    ...(bearerFile === undefined ? {} : { bearer: await readSecret(bearerFile, 'bearerFile') }),
    ...(username === undefined ? {} : { username }),
    ...(passwordFile === undefined ? {} : { password: await readSecret(passwordFile, 'passwordFile') }),
  };
}

/** Undefined when no TLS is configured. @throws ReadingError `unauthorized` when a file can't be read */
export async function readTls(tls: SourceTls): Promise<TlsMaterial | undefined> {
  if (tls === undefined) return undefined;
  return {
    ...(tls.ca === undefined ? {} : { ca: await readSecret(tls.ca, 'tls.ca') }),
    ...(tls.cert === undefined ? {} : { cert: await readSecret(tls.cert, 'tls.cert') }),
    ...(tls.key === undefined ? {} : { key: await readSecret(tls.key, 'tls.key') }),
  };
}

async function readSecret(path: string, field: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ReadingError('unauthorized', `${field}: cannot read ${path}: ${error.code ?? error.message}`, {
      hint: 'does the file exist, and may the coordinator read it?',
    });
  });
  const secret = text.trimEnd();
  if (secret === '') throw new ReadingError('unauthorized', `${field}: ${path} is empty`);
  return secret;
}

/** The text without any of the secrets, also as they look in a URL or in a basic authorization header. */
export function hideSecrets(
  text: string,
  { username = '', password = '', bearer = '' }: Credentials,
): string {
  const basic = password === '' ? '' : Buffer.from(`${username}:${password}`).toString('base64');
  return [basic, bearer, password]
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .filter((secret) => secret !== '')
    .reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text);
}

/** Runs `action` and cuts the secrets out of what it throws. */
export async function hidingSecrets<T>(credentials: Credentials, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof DOMException) throw error;
    const { code, message } = failedReading(error);
    throw new ReadingError(code, hideSecrets(message, credentials));
  }
}
