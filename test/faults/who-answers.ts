// Asks a frontend again and again and notes which hosts answered: cross-talk between services shows in nothing else.
import { setTimeout as delay } from 'node:timers/promises';

export interface Answers {
  /** Answers by host name. */
  readonly hosts: Map<string, number>;
  ok: number;
  failed: number;
}

/** Begins to ask, one request after the other; `stop` resolves with what was heard. */
export function whoAnswers(url: string, maxSeconds: number): { answers: Answers; stop(): Promise<Answers> } {
  const answers: Answers = { hosts: new Map(), ok: 0, failed: 0 };
  const ending = new AbortController();
  const until = performance.now() + maxSeconds * 1000;
  const run = async () => {
    while (!ending.signal.aborted && performance.now() < until) {
      const host = await askOnce(url);
      if (host === undefined) answers.failed += 1;
      else {
        answers.ok += 1;
        answers.hosts.set(host, (answers.hosts.get(host) ?? 0) + 1);
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

async function askOnce(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    const [host] = (await response.text()).split(' ');
    return response.ok ? host : undefined;
  } catch {
    return undefined; // counted as failed
  }
}
