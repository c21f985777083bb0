// One attempt to deliver one message. Its errors hold neither the URL nor what the other side answered: both may be
// secrets.
import { readFile } from 'node:fs/promises';
import { signatureHeader, signBody } from '../alerts/signature.ts';
import { formatNotice } from './format-notice.ts';
import type { Notice } from './notice-buffer.ts';
import type { NoticeTarget } from './notice-target.ts';

export type Delivery =
  | { ok: true }
  /** `again`: trying again may help; `afterMs`: when the other side says how long to wait. */
  | { ok: false; reason: string; again: boolean; afterMs?: number };

const longestWaitMs = 60_000;

/** Never throws. Ends at the latest when `signal` aborts. */
export async function postNotice(
  target: NoticeTarget,
  notice: Notice,
  nowWall: number,
  signal: AbortSignal,
): Promise<Delivery> {
  try {
    const url = await readSecret(target.urlFile);
    const protocol = URL.parse(url)?.protocol;
    if (protocol !== 'http:' && protocol !== 'https:')
      return refuse(`${target.urlFile} holds no http or https URL`);
    const body = formatNotice(target.kind, notice);
    const secret = target.secretFile === undefined ? undefined : await readSecret(target.secretFile);
    const response = await fetch(url, {
      method: 'POST',
      // A redirect would take the secret path elsewhere.
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        ...(secret === undefined ? {} : { [signatureHeader]: signBody(secret, body, nowWall) }),
      },
      body,
      signal,
    });
    await response.body?.cancel();
    return response.ok ? { ok: true } : refusedBy(response);
  } catch (error) {
    return { ok: false, reason: signal.aborted ? 'no answer in time' : reasonOf(error), again: true };
  }
}

function refusedBy(response: Response): Delivery {
  const { status } = response;
  const again = status === 408 || status === 429 || status >= 500;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const wait = Number.isFinite(seconds)
    ? { afterMs: Math.min(longestWaitMs, Math.max(0, seconds * 1000)) }
    : {};
  return { ok: false, reason: `it answered ${status}`, again, ...wait };
}

function refuse(reason: string): Delivery {
  return { ok: false, reason, again: false };
}

async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UnreadableSecret(`cannot read ${path}: ${error.code ?? 'unknown'}`);
  });
  return text.trim();
}

class UnreadableSecret extends Error {}

/** The code alone: messages of the network repeat addresses. */
function reasonOf(error: unknown): string {
  if (error instanceof UnreadableSecret) return error.message;
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return `it cannot be reached (${typeof code === 'string' ? code : 'unknown error'})`;
}
