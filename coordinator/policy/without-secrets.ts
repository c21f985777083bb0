// A policy as it was written, for the audit: what may be a key or a password is not copied there. The schema keeps secrets
// in files, but a header's value can be one.

const left = '(left out)';

/** The document without the values of headers and credentials, whatever else is wrong with it. */
export function withoutSecrets(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(withoutSecrets);
  if (typeof document !== 'object' || document === null) return document;
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [
      key,
      /^(headers|auth)$/i.test(key) ? blank(value) : withoutSecrets(value),
    ]),
  );
}

/** The names stay. */
function blank(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return left;
  return Object.fromEntries(Object.keys(value).map((key) => [key, left]));
}
