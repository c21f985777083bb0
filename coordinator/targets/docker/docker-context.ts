// Docker contexts, as the Docker CLI keeps them: `config.json` names the current one; `contexts/meta/<sha256 of its
// name>/meta.json` holds its address, `contexts/tls/<the same>/docker/` its TLS files, as many as it was given.
import { createHash } from 'node:crypto';
import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BerthError } from '../../../shared/errors.ts';
import {
  type DockerAddress,
  type DockerTls,
  parseAddress,
  readTls,
  reasonOf,
  type TlsPaths,
  tlsPathsIn,
} from './endpoint.ts';

const metaSchema = z.object({
  Endpoints: z.object({
    docker: z.object({ Host: z.string(), SkipTLSVerify: z.boolean().optional() }),
  }),
});

/**
 * The name of the current context in Docker's configuration folder; undefined when none is chosen.
 * @throws BerthError `config.invalid`
 */
export async function currentContext(folder: string): Promise<string | undefined> {
  const file = join(folder, 'config.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { currentContext: name } = z
      .object({ currentContext: z.string().optional() })
      .parse(JSON.parse(text));
    return name || undefined;
  } catch (cause) {
    throw new BerthError('config.invalid', `${file} is not Docker's configuration: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/**
 * What the context `name` in Docker's configuration folder says.
 * @throws BerthError `config.invalid`
 */
export async function readContext(
  folder: string,
  name: string,
): Promise<{ address: DockerAddress; tls: DockerTls | undefined }> {
  const from = `the context ${name}`;
  const digest = createHash('sha256').update(name).digest('hex');
  const file = join(folder, 'contexts/meta', digest, 'meta.json');
  const { Host, SkipTLSVerify = false } = await readMeta(file, from);
  const paths = await presentTls(join(folder, 'contexts/tls', digest, 'docker'));
  const address = parseAddress(Host, from, Object.keys(paths).length > 0);
  const isTls = !('socketPath' in address) && address.isTls;
  return { address, tls: isTls ? await readTls(paths, from, !SkipTLSVerify) : undefined };
}

/** Those of the three TLS files that are in `folder`. */
export async function presentTls(folder: string): Promise<TlsPaths> {
  const entries = Object.entries(tlsPathsIn(folder)).map(async ([key, path]) => {
    const isThere = await access(path, constants.F_OK).then(
      () => true,
      () => false,
    );
    return isThere ? [[key, path]] : [];
  });
  return Object.fromEntries((await Promise.all(entries)).flat());
}

async function readMeta(file: string, from: string) {
  try {
    return metaSchema.parse(JSON.parse(await readFile(file, 'utf8'))).Endpoints.docker;
  } catch (cause) {
    throw new BerthError('config.invalid', `${from}: cannot read ${file}: ${reasonOf(cause)}`, {
      hint: '`docker context ls` shows the contexts; DOCKER_HOST goes before any of them',
      cause,
    });
  }
}
