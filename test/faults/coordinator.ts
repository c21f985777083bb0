// `berth serve` as a process of its own, with a token and SQLite, on a port that stays the same over its lives.
import { join } from 'node:path';
import { type Running, startProcess } from '../bench/processes.ts';
import { freePort, until } from '../bench/wait.ts';

export interface AuditItem {
  event: string;
  actor: string;
  reason: string;
  outcome: string;
  agent: string | null;
  haproxy: string | null;
  slot: string | null;
  at: string;
}

export interface CoordinatorOptions {
  address: string;
  folder: string;
  /** `berth.mjs` */
  program: string;
  token: string;
  env: Readonly<Record<string, string>>;
}

export class Coordinator {
  readonly port: number;
  readonly #options: CoordinatorOptions;
  #running: Running | undefined;
  #past = '';

  private constructor(options: CoordinatorOptions, port: number) {
    this.#options = options;
    this.port = port;
  }

  /** Chooses the port; starts nothing. */
  static async prepare(options: CoordinatorOptions): Promise<Coordinator> {
    return new Coordinator(options, await freePort(options.address));
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** Resolves when it serves; it need not have found HAProxy. */
  async start(): Promise<void> {
    const { address, folder, program, token, env } = this.#options;
    const running = await startProcess(process.execPath, [program, 'serve'], {
      name: 'berth serve',
      env: {
        ...env,
        BERTH_TOKEN: token,
        BERTH_LISTEN: `${address}:${this.port}`,
        BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
        BERTH_HEARTBEAT: '500ms',
      },
    });
    this.#running = running;
    await until(async () => running.exit() !== undefined || (await this.#get('/livez')).ok, {
      what: 'the coordinator serves',
      deadlineMs: 20_000,
    }).catch((error: unknown) => {
      throw new Error(`the coordinator wrote:\n${running.output()}`, { cause: error });
    });
    if (running.exit() !== undefined) throw new Error(`the coordinator ended:\n${running.output()}`);
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#ended((running) => running.killAll());
  }

  /** SIGTERM. */
  stop(): Promise<void> {
    return this.#ended((running) => running.stop());
  }

  /** A path of the API, as JSON. */
  async read<T>(path: string): Promise<T> {
    const response = await this.#get(path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Audit rows, oldest first, that happened from `since` (wall milliseconds) on. */
  async audit(since: number, filter: Readonly<Record<string, string>> = {}): Promise<AuditItem[]> {
    const query = new URLSearchParams({
      ...filter,
      since: new Date(since).toISOString(),
      order: 'asc',
      limit: '500',
    });
    return (await this.read<{ items: AuditItem[] }>(`/api/v1/audit?${query}`)).items;
  }

  output(): string {
    return this.#past + (this.#running?.output() ?? '');
  }

  async #ended(end: (running: Running) => Promise<unknown>): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    await end(running);
    this.#past += running.output();
    this.#running = undefined;
  }

  #get(path: string): Promise<Response> {
    const { address, token } = this.#options;
    return fetch(`http://${address}:${this.port}${path}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(2000),
    });
  }
}
