// Without a token only loopback is listened on, but a web page that is open on the same machine can reach that too. A
// browser names the page's site in `Origin`, and the name that it looked up in `Host`: both must be local then.

/** Why a request must not be served when there is no token; undefined when it may. */
export function foreignRequest(host: string | undefined, origin: string | undefined): string | undefined {
  if (!isLocal(`http://${host ?? ''}`)) return `the Host header is ${JSON.stringify(host ?? '')}`;
  if (origin !== undefined && !isLocal(origin)) return `the request comes from ${JSON.stringify(origin)}`;
  return undefined;
}

function isLocal(url: string): boolean {
  const name = URL.parse(url)?.hostname ?? '';
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}
