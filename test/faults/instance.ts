// One app container with the agent in front of the app, and what a fault can do to it.
import { readFileSync } from 'node:fs';
import type { Container, DockerEngine, Network } from '../bench/docker.ts';
import { until } from '../bench/wait.ts';

/** One line of the agent's log. */
export interface LogLine {
  event: string;
  msg: string;
  [field: string]: unknown;
}

export class Instance {
  readonly name: string;
  readonly container: Container;
  readonly #engine: DockerEngine;
  readonly #network: Network;

  constructor(name: string, container: Container, engine: DockerEngine, network: Network) {
    this.name = name;
    this.container = container;
    this.#engine = engine;
    this.#network = network;
  }

  /** The id of its agent. */
  get agent(): string {
    return `${this.name}-${this.container.id.slice(0, 12)}-8080`;
  }

  /** Its address in the stage's network now. */
  address(): Promise<string> {
    return this.#inspect(`{{(index .NetworkSettings.Networks "${this.#network.name}").IPAddress}}`);
  }

  async stop(): Promise<void> {
    await this.#docker('stop');
  }

  async start(): Promise<void> {
    await this.#docker('start');
  }

  async restart(): Promise<void> {
    await this.#docker('restart');
  }

  /** SIGKILL to everything in it. */
  async kill(): Promise<void> {
    await this.#docker('kill');
  }

  async pause(): Promise<void> {
    await this.#docker('pause');
  }

  async unpause(): Promise<void> {
    await this.#docker('unpause');
  }

  /** While it is stopped: it has this address from its next start on. */
  async moveTo(address: string): Promise<void> {
    await this.#engine.run(['network', 'disconnect', this.#network.name, this.container.id]);
    await this.#engine.run(['network', 'connect', '--ip', address, this.#network.name, this.container.id]);
  }

  /** What the agent has logged, over all lives of the container. */
  async log(): Promise<LogLine[]> {
    const lines = (await this.container.logs()).split('\n');
    return lines.filter((line) => line.startsWith('{"level":')).map((line): LogLine => JSON.parse(line));
  }

  /** Resolves when the agent has logged so many lines with this event. */
  async event(event: string, count = 1): Promise<void> {
    await until(async () => (await this.log()).filter((line) => line.event === event).length >= count, {
      what: `${this.name} logs ${event}`,
      deadlineMs: 20_000,
      everyMs: 100,
    });
  }

  /** An answer of the app itself, past HAProxy. */
  async ask(path: string, method: 'GET' | 'POST' = 'GET'): Promise<Response> {
    const url = `http://${await this.address()}:8080${path}`;
    return fetch(url, { method, signal: AbortSignal.timeout(3000) });
  }

  /** The init of the container, as this machine counts processes. */
  async pid(): Promise<number> {
    return Number(await this.#inspect('{{.State.Pid}}'));
  }

  /** The process, among all in the container, whose command line holds every one of `words`. */
  async process(...words: readonly string[]): Promise<number> {
    const init = await this.pid();
    const found = descendants(init).find((pid) => {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return words.every((word) => line.includes(word));
    });
    if (found === undefined) throw new Error(`${this.name} has no process with ${words.join(' and ')}`);
    return found;
  }

  async #docker(command: string): Promise<void> {
    await this.#engine.run([command, this.container.id]);
  }

  async #inspect(format: string): Promise<string> {
    return (await this.#engine.run(['inspect', '-f', format, this.container.id])).trim();
  }
}

/** All processes below `pid`, parents before children. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children
    .filter((text) => text !== '')
    .flatMap((text) => [Number(text), ...descendants(Number(text))]);
}
