// A file with a number of the app's, as BERTH_APP_METRICS names it. Nothing that it may be holds the agent up: not a pipe
// that nobody writes to, nor a file system that does not answer.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BerthError } from '../shared/errors.ts';

/** Reads that have not ended: another one would wait for the same. */
const underWay = new Map<string, Promise<string>>();

/** The whole text. @throws BerthError `source.failed` for more than `maxBytes`, or for what is no regular file */
export function readMetricFile(path: string, maxBytes: number, signal: AbortSignal): Promise<string> {
  const reading = underWay.get(path) ?? readAtMost(path, maxBytes).finally(() => underWay.delete(path));
  underWay.set(path, reading);
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    reading.then(resolve, reject);
  });
}

async function readAtMost(path: string, maxBytes: number): Promise<string> {
  // A pipe opened so is open at once; for a regular file it means nothing.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new BerthError('source.failed', `${path} is not a regular file`);
    const chunks: Buffer[] = [];
    for (let left = maxBytes + 1; left > 0; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(left, 64 * 1024)));
      if (bytesRead === 0) return Buffer.concat(chunks).toString();
      chunks.push(buffer.subarray(0, bytesRead));
      left -= bytesRead;
    }
    throw new BerthError('source.failed', `${path} is larger than ${maxBytes / 1024 / 1024} MB`);
  } finally {
    await file.close();
  }
}
