// The first step of every npm script: `node setup.mjs [SCRIPT ARGS…]`.
//
// Installs the packages of package-lock.json when node_modules does not hold just those, then runs SCRIPT with the
// project's own Node 24. It is plain JavaScript that Node 20 can run, since before the install there may be no other.
// (`node setup.mjs && node SCRIPT` in one shell would not do: the shell remembers where it found the first `node`.)
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';

const root = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const bin = join(root, 'node_modules', '.bin');

const reason = whyInstall();
if (reason !== undefined) install(reason);
const [script, ...args] = process.argv.slice(2);
if (script !== undefined) run(script, args);

/** What differs between package-lock.json and npm's own record of what it installed; undefined when nothing does. */
function whyInstall() {
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'node_modules is not there';
  const locked = readPackages(join(root, 'package-lock.json')) ?? {};
  for (const [path, { version, optional = false }] of Object.entries(locked)) {
    if (path === '') continue;
    const found = installed[path]?.version;
    // npm leaves out an optional package that is for another platform.
    if (found !== version && !(optional && found === undefined)) {
      return `${path} is ${found ?? 'absent'}, package-lock.json has ${version}`;
    }
  }
}

function readPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined;
}

function install(why) {
  console.error(`setup: npm ci (${why})`);
  const started = Date.now();
  // npm runs with the machine's Node: the project's own is about to be deleted and put back.
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== bin);
  // No package needs its install script; one of them compiles C++ for 15 s, for a feature that Berth does not use.
  const { status, error } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    env: { ...process.env, PATH: folders.join(delimiter) },
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) {
    console.error(`setup: npm ci failed${error === undefined ? '' : `: ${error.message}`}`);
    process.exit(status ?? 1);
  }
  console.error(`setup: npm ci took ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function run(script, args) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(node24(), [script, ...args], { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole process group: the child has it already.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`setup: cannot run ${script}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
  });
}

function node24() {
  const own = join(bin, 'node');
  if (existsSync(own)) return own;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  console.error(
    `setup: this is Node ${process.versions.node}, and npm has no Node 24 for ${process.platform} ${process.arch}: install Node 24`,
  );
  process.exit(1);
}
