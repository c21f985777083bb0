// What the driver of each database is asked, and what it answers.
import type { Credentials, TlsMaterial } from './credentials.ts';

export interface SqlQuestion {
  readonly url: URL;
  readonly query: string;
  readonly credentials: Credentials;
  readonly tls: TlsMaterial | undefined;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
}

/** At most the first two rows, each a list of its columns. */
export type Rows = readonly (readonly unknown[])[];

/** A URL's host without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The database that a URL's path names. */
export function databaseOf(url: URL): string | undefined {
  const name = decodeURIComponent(url.pathname.slice(1));
  return name === '' ? undefined : name;
}
