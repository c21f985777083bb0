// A webhook that keeps what it gets, and answers as the test says: a status, or never.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface Captured {
  headers: IncomingHttpHeaders;
  text: string;
}

export interface CaptureServer {
  /** With a secret in its path, as chats have it. */
  url: string;
  /** File that holds the URL. */
  urlFile: string;
  captured: Captured[];
  /** Requests that came, also those that were not answered. */
  requests(): number;
  /** How the next requests are answered; the last one stays. */
  answers: (number | 'never' | { status: number; headers: Record<string, string> })[];
}

export const pathSecret = 'T0ps3cretPath';

export async function captureServer(t: TestContext): Promise<CaptureServer> {
  const captured: Captured[] = [];
  const answers: CaptureServer['answers'] = [200];
  let requests = 0;
  const server = createServer(async (request, response) => {
    requests += 1;
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    if (answer === 'never' || answer === undefined) return;
    const { status, headers } = typeof answer === 'number' ? { status: answer, headers: {} } : answer;
    if (status === 200) captured.push({ headers: request.headers, text: Buffer.concat(chunks).toString() });
    response.writeHead(status, headers).end(`${pathSecret} was refused`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const url = `http://127.0.0.1:${port}/hooks/${pathSecret}`;
  return { url, urlFile: secretFile(t, url), captured, requests: () => requests, answers };
}

export function secretFile(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-notices-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret');
  writeFileSync(file, `${text}\n`);
  return file;
}
