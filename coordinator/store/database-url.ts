// `BERTH_DATABASE`: `sqlite:PATH`, `mysql://user:password@host/name` (MariaDB too) or `postgres://…`.
import { BerthError } from '../../shared/errors.ts';

export type DatabaseUrl =
  | { kind: 'sqlite'; path: string; name: string }
  | { kind: 'mysql' | 'postgres'; url: string; name: string };

/**
 * Parses `BERTH_DATABASE`. `name` is what logs and errors show: without user and password.
 * @throws BerthError `config.invalid`
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
    if (path !== '') return { kind: 'sqlite', path, name: `sqlite:${path}` };
  }
  const url = URL.parse(text);
  const kind = kinds[url?.protocol ?? ''];
  if (url === null || kind === undefined || url.hostname === '' || url.pathname.length < 2) {
    // The value is not repeated: it may hold a password.
    throw new BerthError('config.invalid', 'is not a database address', {
      hint: 'sqlite:/data/berth.db, mysql://user:password@host/berth or postgres://user:password@host/berth',
    });
  }
  return { kind, url: text, name: `${url.protocol}//${url.host}${url.pathname}` };
}

const kinds: Record<string, 'mysql' | 'postgres'> = {
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};
