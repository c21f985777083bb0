// The fake engine as a process of its own, so that its work is not measured: `node fake-engine-process.ts COUNT [SERVICES]` writes
// its socket's path, and ends with SIGTERM, after five minutes at the latest.
import { setTimeout as delay } from 'node:timers/promises';
import { startFakeEngine } from './fake-engine.ts';

await using engine = await startFakeEngine(Number(process.argv[2]), Number(process.argv[3] ?? 0));
process.stdout.write(`${engine.socketPath}\n`);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await delay(300_000, undefined, { signal: stop.signal }).catch(() => undefined);
