// A cut in the network: packets between one container and one side are dropped, by a rule in the container's own
// network namespace. Nobody is told; connections hang until somebody's patience ends, as with a pulled cable.
import { runProcess } from '../bench/processes.ts';
import type { Instance } from './instance.ts';

export interface Cut extends AsyncDisposable {
  mend(): Promise<void>;
}

/** Cuts `instance` off from one address: from its port `there`, from reaching the instance's port `here`, or wholly. */
export async function cut(
  instance: Instance,
  side: { address: string; there?: number; here?: number },
): Promise<Cut> {
  const pid = await instance.pid();
  const { address, there, here } = side;
  const port = (what: string, number: number | undefined) =>
    number === undefined ? [] : [what, String(number)];
  const rules = [
    ['OUTPUT', '-p', 'tcp', '-d', address, ...port('--dport', there), ...port('--sport', here), '-j', 'DROP'],
    ['INPUT', '-p', 'tcp', '-s', address, ...port('--sport', there), ...port('--dport', here), '-j', 'DROP'],
  ];
  const change = async (how: '-I' | '-D') => {
    for (const rule of rules)
      await runProcess('nsenter', ['-t', String(pid), '-n', 'iptables', '-w', how, ...rule]);
  };
  await change('-I');
  let mended = false;
  const mend = async () => {
    if (mended) return;
    mended = true;
    await change('-D');
  };
  return { mend, [Symbol.asyncDispose]: mend };
}
