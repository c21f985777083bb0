// The addresses of a name, as the system finds them. What needs no name does not load the resolver.

export async function lookUp(host: string): Promise<string[]> {
  const { lookup } = await import('node:dns/promises');
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
