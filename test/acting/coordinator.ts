// `berth serve` as a process of its own, with a token and SQLite, on a port that stays the same over its lives.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Running, startProcess } from '../bench/processes.ts';
import { freePort, until } from '../bench/wait.ts';

export interface AuditItem {
  event: string;
  actor: string;
  reason: string;
  outcome: string;
  service: string | null;
  container: string | null;
  host: string | null;
  from: number | null;
  to: number | null;
  policy: string | null;
  metric: string | null;
  value: number | null;
  alert: string | null;
  at: string;
}

export interface ReadinessItem {
  name: string;
  status: 'ok' | 'failed';
  reason: string;
}

export interface CoordinatorOptions {
  address: string;
  folder: string;
  /** `berth.mjs` */
  program: string;
  env: Readonly<Record<string, string>>;
}

export class Coordinator {
  readonly port: number;
  readonly token = randomBytes(16).toString('hex');
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

  /** Resolves when it serves. `env`: for this life alone. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const { address, folder, program } = this.#options;
    const running = await startProcess(process.execPath, [program, 'serve'], {
      name: 'berth serve',
      env: {
        BERTH_DATABASE: `sqlite:${join(folder, 'berth.db')}`,
        ...this.#options.env,
        BERTH_TOKEN: this.token,
        BERTH_LISTEN: `${address}:${this.port}`,
        BERTH_HEARTBEAT: '500ms',
        ...env,
      },
    });
    this.#running = running;
    await until(async () => running.exit() !== undefined || (await this.#ask('GET', '/livez')).ok, {
      what: 'the coordinator serves',
      deadlineMs: 20_000,
    }).catch((error: unknown) => {
      throw new Error(`the coordinator wrote:\n${running.output()}`, { cause: error });
    });
  }

  /** Resolves when it has ended by itself, with the signal. */
  async ended(deadlineMs = 30_000): Promise<NodeJS.Signals | null> {
    const running = this.#running;
    if (running === undefined) throw new Error('the coordinator was not started');
    const exit = await until(() => running.exit(), { what: 'the coordinator has ended', deadlineMs }).catch(
      (error: unknown) => {
        throw new Error(`the coordinator wrote:\n${running.output().slice(-6000)}`, { cause: error });
      },
    );
    this.#past += running.output();
    this.#running = undefined;
    return exit.signal;
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#end((running) => running.killAll());
  }

  /** SIGTERM. */
  stop(): Promise<void> {
    return this.#end((running) => running.stop());
  }

  read<T>(path: string): Promise<T> {
    return this.write('GET', path);
  }

  /** What `/readyz` answers, whether or not all is well. */
  async readiness(): Promise<ReadinessItem[]> {
    const { checks }: { checks: ReadinessItem[] } = await (await this.#ask('GET', '/readyz')).json();
    return checks;
  }

  /** A call of the API, its answer as JSON. */
  async write<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#ask(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Rows of the audit that happened from `since` (wall milliseconds) on, oldest first. */
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

  async #end(end: (running: Running) => Promise<unknown>): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    await end(running);
    this.#past += running.output();
    this.#running = undefined;
  }

  #ask(method: string, path: string, body?: unknown): Promise<Response> {
    const { address } = this.#options;
    return fetch(`http://${address}:${this.port}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
  }
}
