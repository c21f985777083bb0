// Node's single executable application: a copy of the Node that runs this, with a CommonJS bundle inside.
// https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** As in agent/entrypoint.sh. The code cache is good only for the flags that it was made with. */
const flags = ['--jitless', '--single-threaded', '--max-semi-space-size=1'];
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Makes `outfile` of the bundle `main`; `folder` is for what comes in between. */
export async function makeExecutable(main: string, folder: string, outfile: string): Promise<void> {
  const config = join(folder, 'sea.json');
  const blob = join(folder, 'sea.blob');
  const executable = join(folder, 'executable');
  const settings = {
    main,
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: flags,
    // NODE_OPTIONS are the app's.
    execArgvExtension: 'none',
  };
  await writeFile(config, JSON.stringify(settings));
  await execute(process.execPath, [...flags, '--experimental-sea-config', config]);
  await copyFile(process.execPath, executable);
  await chmod(executable, 0o755);
  // A seventh of Node is symbols. Without binutils it is only larger.
  await execute('strip', ['--strip-unneeded', executable]).catch(() => undefined);
  const postject = join(import.meta.dirname, 'node_modules', 'postject', 'dist', 'cli.js');
  await execute(process.execPath, [postject, executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', fuse]);
  await mkdir(dirname(outfile), { recursive: true });
  // Renamed into place: one that runs cannot be written to.
  await copyFile(executable, `${outfile}.new`);
  await rename(`${outfile}.new`, outfile);
}
