// What went wrong below the protocol, by the error codes of Node and undici.
import { ReadingError } from './reading-error.ts';

/** The ReadingError for an error of a connection or a request. */
export function networkError(error: unknown): ReadingError {
  if (error instanceof ReadingError) return error;
  const code = errorCode(error);
  const why = error instanceof Error && error.message !== '' ? error.message : code;
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return new ReadingError('timeout', 'it cannot be reached: no connection in time', { cause: error });
  if (isParserError(error) || code === 'UND_ERR_HEADERS_OVERFLOW')
    return new ReadingError('bad-answer', `it does not speak HTTP: ${why}`, {
      hint: 'is this the right port?',
      cause: error,
    });
  if (/CERT|SELF_SIGNED|VERIFY|TLS|SSL|EPROTO/.test(code))
    return new ReadingError('unreachable', `TLS failed: ${why}`, {
      hint: 'check `tls.ca`, `tls.cert` and `tls.key`, and the name in the certificate',
      cause: error,
    });
  return new ReadingError('unreachable', `it cannot be reached: ${why}`, { cause: error });
}

/** undici gives this error no code when the very first bytes are wrong. */
function isParserError(error: unknown): boolean {
  return error instanceof Error && error.name === 'HTTPParserError';
}

/** The code of an error or of what caused it; empty when there is none. */
export function errorCode(error: unknown): string {
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  if (typeof error !== 'object' || error === null) return '';
  const { code, cause }: { code?: unknown; cause?: unknown } = error;
  return typeof code === 'string' ? code : errorCode(cause);
}
