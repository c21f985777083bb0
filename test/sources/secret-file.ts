// A secret in a file, as Docker and Kubernetes mount them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SecretFile extends AsyncDisposable {
  readonly path: string;
  write(secret: string): Promise<void>;
}

export async function secretFile(secret: string): Promise<SecretFile> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-secret-'));
  const path = join(folder, 'secret');
  const write = (text: string) => writeFile(path, `${text}\n`, { mode: 0o600 });
  await write(secret);
  return { path, write, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
