// A real Alertmanager (Debian's package) on loopback that sends every alert to one webhook, fast.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface AlertmanagerOptions {
  /** Where it posts to. */
  readonly webhook: string;
  /** The bearer token that it shows there. */
  readonly token: string;
  /** Labels that make a group; default `alertname`. */
  readonly groupBy?: readonly string[];
  /** Default 1s each. */
  readonly groupWait?: string;
  readonly groupInterval?: string;
  readonly repeatInterval?: string;
}

export interface Alertmanager extends AsyncDisposable {
  readonly url: string;
  /** `host:port`, for `alertmanagers` in prometheus.yml. */
  readonly address: string;
  readonly process: Running;
  stop(): Promise<void>;
}

export async function startAlertmanager(options: AlertmanagerOptions): Promise<Alertmanager> {
  const { webhook, token, groupBy = ['alertname'] } = options;
  const { groupWait = '1s', groupInterval = '1s', repeatInterval = '1s' } = options;
  await ensurePackages('prometheus-alertmanager');
  const folder = await mkdtemp(join(tmpdir(), 'berth-alertmanager-'));
  const config = {
    route: {
      receiver: 'berth',
      group_by: groupBy,
      group_wait: groupWait,
      group_interval: groupInterval,
      repeat_interval: repeatInterval,
    },
    receivers: [
      {
        name: 'berth',
        webhook_configs: [
          {
            url: webhook,
            send_resolved: true,
            max_alerts: 0,
            http_config: { authorization: { credentials: token } },
          },
        ],
      },
    ],
  };
  // JSON is YAML.
  await writeFile(join(folder, 'alertmanager.yml'), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const process = await startProcess(
    'prometheus-alertmanager',
    [
      `--config.file=${join(folder, 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    { env: { GOMAXPROCS: '1' } },
  );
  const stop = async () => {
    await process.stop();
    await rm(folder, { recursive: true, force: true });
  };
  await until(async () => process.exit() !== undefined || (await fetch(`${url}/-/ready`)).ok, {
    what: 'Alertmanager is ready',
    deadlineMs: 30_000,
  }).catch(async (error: unknown) => {
    await stop();
    throw new Error(`Alertmanager does not start; it wrote:\n${process.output()}`, { cause: error });
  });
  if (process.exit() !== undefined) throw new Error(`Alertmanager ended:\n${process.output()}`);
  return { url, address, process, stop, [Symbol.asyncDispose]: stop };
}
