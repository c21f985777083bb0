// `npm run build [-- agent | berth | sea]`: writes dist/agent.cjs (for Node 20 and later, as small as it gets) and
// dist/berth.mjs (coordinator and CLI, Node 24). Only when it is asked for: dist/berth-agent, the agent and this Node in
// one executable.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { minify } from 'terser';
import { makeExecutable } from './build-executable.ts';

const manifest: { version?: unknown } = Object(JSON.parse(await readFile('package.json', 'utf8')));
const common = {
  bundle: true,
  platform: 'node',
  define: { BERTH_VERSION: JSON.stringify(String(manifest.version)) },
  logLevel: 'warning',
} as const;

/**
 * Replaces files of packages: by the given text, by what is made of their own, or by a class that says that the program
 * was not to reach it. The keys are the files' names below node_modules, or how they begin.
 */
function replaceFiles(texts: Record<string, string | ((own: string) => string) | undefined>): Plugin {
  const names = Object.keys(texts).map((name) => name.replaceAll('.', '\\.'));
  return {
    name: 'replace-files',
    setup({ onLoad }) {
      onLoad({ filter: new RegExp(`[/\\\\]node_modules[/\\\\](?:${names.join('|')})`) }, async ({ path }) => {
        const name = path.replace(/^.*node_modules[/\\]/, '');
        const [, text] = Object.entries(texts).find(([start]) => name.startsWith(start)) ?? [];
        const unreached = `module.exports = class { constructor() { throw new Error('${name} is not in this bundle'); } };`;
        const contents = typeof text === 'function' ? text(await readFile(path, 'utf8')) : text;
        return { contents: contents ?? unreached, loader: 'js' };
      });
    },
  };
}

/**
 * The agent's budget is 150 KB, 45 KB gzip and 12 MB of memory. Of ws it needs no server, streams and compression, and
 * TLS, which takes half a megabyte, only for `wss://`.
 */
const agentNeverReaches = replaceFiles({
  'ws/lib/permessage-deflate.js': "exports.extensionName = 'permessage-deflate';",
  'ws/lib/extension.js': '',
  'ws/wrapper.mjs': "import WebSocket from './lib/websocket.js'; export { WebSocket };",
  // The browser's way to listen, beside Node's: `onmessage`, addEventListener.
  'ws/lib/websocket.js': (own) => {
    const from = own.indexOf('//\n// Add the `onopen`');
    const to = own.indexOf('module.exports = WebSocket;');
    if (from < 0 || to < from) throw new Error('ws/lib/websocket.js has changed: see what is left out of it');
    return own.slice(0, from) + own.slice(to);
  },
  'ws/lib/event-target.js': 'exports.EventTarget = {};',
  // A coordinator masks nothing, and what an agent sends is small. `readOnly`: to be copied before it is masked.
  'ws/lib/buffer-util.js': `
    exports.concat = Buffer.concat;
    exports.mask = (from, mask, to, offset, length) => {
      for (let i = 0; i < length; i++) to[offset + i] = from[i] ^ mask[i & 3];
    };
    exports.unmask = (data, mask) => exports.mask(data, mask, data, 0, data.length);
    exports.toBuffer = (data) => Buffer.from(data);
    exports.toBuffer.readOnly = true;`,
  // Node has had the check of UTF-8 since 18.14; the rest is as in RFC 6455, 7.4.
  'ws/lib/validation.js': `
    exports.isValidUTF8 = require('node:buffer').isUtf8;
    exports.isBlob = () => false;
    exports.isValidStatusCode = (code) =>
      (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);`,
});

const lazyTls: Plugin = {
  name: 'lazy-tls',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:https|tls)$/ }, ({ path, importer }) =>
      importer.endsWith('/ws/lib/websocket.js') ? { path, namespace: 'lazy-tls' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'lazy-tls' }, ({ path }) => {
      const functions = path === 'tls' ? ['connect'] : ['get', 'request'];
      const getters = functions.map((name) => `get ${name}() { return require('node:${path}').${name}; }`);
      return { contents: `module.exports = { ${getters.join(', ')} };`, loader: 'js' };
    });
  },
};

async function buildAgent(outfile = 'dist/agent.cjs', more: BuildOptions = {}): Promise<void> {
  const { outputFiles } = await build({
    ...common,
    ...more,
    entryPoints: ['agent/main.ts'],
    outfile,
    format: 'cjs',
    target: 'node20.3',
    minify: true,
    legalComments: 'none',
    // Of the names that begin so, those of ws; the others are Node's.
    mangleProps: /^_/,
    reserveProps: /^_(?:read|write|final|destroy|construct|readableState|writableState|events|handle)$/,
    external: ['bufferutil', 'utf-8-validate'],
    plugins: [agentNeverReaches, lazyTls],
    write: false,
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('esbuild has made no bundle of the agent');
  // It finds some 3 % that esbuild leaves.
  const { code } = await minify(bundle.text, { compress: { passes: 3, ecma: 2020 }, toplevel: true });
  if (code === undefined) throw new Error('terser has made nothing of the agent');
  await mkdir(dirname(outfile), { recursive: true });
  await writeFile(outfile, code);
}

/** An executable cannot `import()` together with a code cache; `require` it can. */
async function buildSea(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-sea-'));
  try {
    const main = join(folder, 'agent.cjs');
    await buildAgent(main, {
      define: { ...common.define, BERTH_SINGLE_FILE: 'true' },
      supported: { 'dynamic-import': false },
    });
    await makeExecutable(main, folder, 'dist/berth-agent');
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** dockerode brings SSH and BuildKit's gRPC, which the coordinator does not use. */
function buildCoordinator(): Promise<unknown> {
  return build({
    ...common,
    entryPoints: ['coordinator/cli/main.ts'],
    outfile: 'dist/berth.mjs',
    format: 'esm',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    external: ['bufferutil', 'utf-8-validate', 'pg-native', 'cpu-features'],
    plugins: [replaceFiles({ 'ssh2/': undefined, '@grpc/': undefined, 'protobufjs/': undefined })],
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire as berthCreateRequire } from 'node:module';\nconst require = berthCreateRequire(import.meta.url);",
    },
  });
}

const bundles = new Map<string, () => Promise<unknown>>([
  ['agent', () => buildAgent()],
  ['berth', buildCoordinator],
  ['sea', buildSea],
]);
const wanted = process.argv.length > 2 ? process.argv.slice(2) : ['agent', 'berth'];
for (const name of wanted) {
  const make = bundles.get(name);
  if (make === undefined) throw new Error(`no bundle ${name}: give ${[...bundles.keys()].join(' or ')}`);
  await make();
}
