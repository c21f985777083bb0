// A list or a stream of Redis, over a connection of its own for each read. Redis removes a list with its last element,
// so a list that is not there has length 0; a stream stays when it is drained, so one that is not there is `empty`.
import type { Reading } from '../decide/observation.ts';
import type { SourceOf } from '../policy/source-schema.ts';
import { hidingSecrets, readCredentials, readTls } from './credentials.ts';
import { ReadingError } from './reading-error.ts';
import { readingNumber } from './reading-number.ts';
import type { Ask } from './redis-connection.ts';
import type { Source } from './source.ts';

export function redisSource(config: SourceOf<'redis'>): Source {
  return {
    read: async (context): Promise<Reading> => {
      const credentials = await readCredentials(config.auth);
      if (credentials.bearer !== undefined)
        throw new ReadingError('unauthorized', 'Redis knows no bearer token: give username and passwordFile');
      const tls = await readTls(config.tls);
      // The client is loaded when a policy uses it: it takes 20 MB.
      const { withRedis } = await import('./redis-connection.ts');
      const value = await hidingSecrets(credentials, () =>
        withRedis(config.url, credentials, tls, context, (ask) => readValue(ask, config)),
      );
      return { ok: true, shape: 'total', value, ageMs: 0 };
    },
  };
}

async function readValue(ask: Ask, { what, key, group = '' }: SourceOf<'redis'>): Promise<number> {
  if (what === 'list') return readingNumber(await ask('LLEN', key), `the length of ${key}`);
  const type = await ask('TYPE', key);
  if (type === 'none') throw new ReadingError('empty', `there is no stream ${key}`);
  if (what === 'stream') return readingNumber(await ask('XLEN', key), `the length of ${key}`);
  if (what === 'pending') {
    const summary = await ask('XPENDING', key, group);
    return readingNumber(Array.isArray(summary) ? summary[0] : summary, `what is pending in group ${group}`);
  }
  return lagOf(await ask('XINFO', 'GROUPS', key), key, group);
}

/** From the answer to XINFO GROUPS: an array of flat lists of names and values. */
export function lagOf(answer: unknown, key: string, group: string): number {
  if (!Array.isArray(answer)) throw new ReadingError('bad-answer', `XINFO GROUPS ${key} gave no list`);
  const groups = answer.map(fieldsOf);
  const own = groups.find((fields) => fields.get('name') === group);
  if (own === undefined) throw new ReadingError('refused', `stream ${key} has no group ${group}`);
  if (!own.has('lag'))
    throw new ReadingError('refused', 'this Redis tells no lag', {
      hint: 'Redis 7.0 and later do; or use `what: pending`',
    });
  const lag = own.get('lag');
  if (lag === null)
    throw new ReadingError('unknown', `Redis does not know the lag of group ${group}`, {
      hint: 'entries were deleted from the middle of the stream; it is known again once the group has read past them',
    });
  return readingNumber(lag, `the lag of group ${group}`);
}

function fieldsOf(flat: unknown): ReadonlyMap<unknown, unknown> {
  const list: readonly unknown[] = Array.isArray(flat) ? flat : [];
  return new Map(list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]] as const] : [])));
}
