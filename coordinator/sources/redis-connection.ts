// A connection to Redis for one read, that ends with it.
import { createClient, ErrorReply } from '@redis/client';
import type { Credentials, TlsMaterial } from './credentials.ts';
import { networkError } from './network-error.ts';
import { ReadingError } from './reading-error.ts';
import { abandonAt } from './shared-read.ts';
import type { ReadContext } from './source.ts';

/** Sends one command and gives its answer, as RESP 2 has it. */
export type Ask = (...command: string[]) => Promise<unknown>;

/** Runs `action` on a connection of its own. @throws ReadingError; the signal's reason */
export async function withRedis<T>(
  address: string,
  { username, password }: Credentials,
  tls: TlsMaterial | undefined,
  { signal, deadlineMs }: ReadContext,
  action: (ask: Ask) => Promise<T>,
): Promise<T> {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const socket = {
    host,
    port: Number(url.port || 6379),
    connectTimeout: deadlineMs,
    reconnectStrategy: false,
  } as const;
  const isTls = url.protocol === 'rediss:';
  const client = createClient({
    socket: isTls ? { ...socket, tls: true, ...tls } : socket,
    database: Number(url.pathname.slice(1) || 0),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    // Answers as every version since 2.0 gives them, and no commands that were not asked for.
    RESP: 2,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
  // What fails is told by the call that fails.
  client.on('error', () => undefined);
  try {
    return await abandonAt(
      signal,
      client.connect().then(() => action((...command) => client.sendCommand(command))),
    );
  } catch (error) {
    throw signal.aborted ? signal.reason : redisError(error);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

function redisError(error: unknown): ReadingError {
  if (error instanceof ReadingError) return error;
  if (!(error instanceof ErrorReply)) return networkError(error);
  const why = error.message;
  if (/^(?:WRONGPASS|NOAUTH|NOPERM|ERR (?:AUTH|invalid password))/.test(why))
    return new ReadingError('unauthorized', `it answered: ${why}`, {
      hint: 'check `auth` and the ACL of this user',
    });
  return new ReadingError('refused', `it answered: ${why}`);
}
