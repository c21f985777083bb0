// A URL as errors and logs may show it: without user, password and query, which may hold a token.

/** `http://host:port/path`; the text itself when it is no URL. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { protocol, host, pathname } = new URL(url);
  const path = pathname === '/' ? '' : pathname;
  return host === '' ? `${protocol}${pathname}` : `${protocol}//${host}${path}`;
}
