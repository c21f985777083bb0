// `berth`: the coordinator and its command line in one program.
import { run } from './program.ts';

const output = {
  write: (text: string) => void process.stdout.write(text),
  warn: (text: string) => void process.stderr.write(text),
};
// `berth audit | head` is no fault.
process.stdout.on('error', () => process.exit());
process.exitCode = await run(process.argv.slice(2), process.env, output);
