// The bearer token. Both sides are hashed first, so that the comparison takes the same time whatever was sent, its
// length among it.
import { createHash, timingSafeEqual } from 'node:crypto';

/** A check of `Authorization` headers against `token`. Without a token everybody passes: only loopback is listened on then. */
export function bearerCheck(token: string | undefined): (authorization: string | undefined) => boolean {
  if (token === undefined) return () => true;
  const wanted = digest(token);
  return (authorization) => {
    const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(given), wanted);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
