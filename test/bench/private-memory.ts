// What a process takes that no other could share, from the kernel.
import { readFile } from 'node:fs/promises';

/** Private memory of a process in MB: `own` of all pages, `kept` without those of files, which the kernel can drop. */
export async function privateMegabytes(pid: number): Promise<{ own: number; kept: number }> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const megabytes = (pages: string) =>
    [...rollup.matchAll(new RegExp(`^Private_${pages}:\\s+(\\d+) kB$`, 'gm'))].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    ) / 1024;
  return { own: megabytes('\\w+'), kept: megabytes('Dirty') };
}
