// Asks a frontend again and again and notes which hosts answered: cross-talk between services shows in nothing else.
import { setTimeout as delay } from 'node:timers/promises';

export interface Answers {
  /** Answers by host name. */
  readonly hosts: ReadonlyMap<string, number>;
  failed: number;
}

/** Starts to ask, one request after the other; `stop` resolves with what was heard. */
export function whoAnswers(url: string, maxSeconds: number): { answers: Answers; stop(): Promise<Answers> } {
  const hosts = new Map<string, number>();
  const answers: Answers & { failed: number } = { hosts, failed: 0 };
  const ending = new AbortController();
  const until = performance.now() + maxSeconds * 1000;
  const run = async () => {
    while (!ending.signal.aborted && performance.now() < until) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
        const [host = ''] = (await response.text()).split(' ');
        if (response.ok) hosts.set(host, (hosts.get(host) ?? 0) + 1);
        else answers.failed += 1;
      } catch {
        answers.failed += 1;
      }
      await delay(5);
    }
  };
  const running = run();
  return {
    answers,
    stop: async () => {
      ending.abort();
      await running;
      return answers;
    },
  };
}
