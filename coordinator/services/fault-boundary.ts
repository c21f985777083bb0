// A fault on purpose, for tests: the process is killed between two effects of a step, as a power cut would do it.
// `BERTH_FAULT_KILL=create.between` kills it there the first time; `stop.after:2` the second time. Not for use otherwise,
// and without the variable it does nothing.
import type { Boundary } from './instance-executor.ts';

export function faultBoundary(env: Readonly<Record<string, string | undefined>>): Boundary {
  const [wanted, count = '1'] = (env['BERTH_FAULT_KILL'] ?? '').split(':');
  let left = Number(count);
  return (moment) => {
    if (moment !== wanted) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
