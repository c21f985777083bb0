// One post of alerts, from bytes to the answer. Used by the HTTP routes; a queue's messages take the same way.
//
// Which status: a sender tries again after a 503 and gives up after a 400. So it is 400 only when nothing of the post
// could be read; when a part could, each document's own outcome says which.
import { BerthError } from '../../shared/errors.ts';
import type { AlertInbox, Outcome } from './alert-inbox.ts';
import type { Dialect } from './alert-signal.ts';
import type { Now } from './judge-alert.ts';
import { readDocuments } from './read-documents.ts';
import { replayedOutcome } from './take-document.ts';

export interface AlertAnswer {
  /** How many took effect: fired, or ended something. */
  accepted: number;
  /** How many changed nothing: repeats, silenced, out of date. */
  skipped: number;
  failed: number;
  outcomes: Outcome[];
}

/**
 * @throws BerthError `request.invalid` (400) when none of it is an alert, `database.unavailable` (503) when too much
 * waits for the database; then nothing was taken
 */
export async function receiveAlerts(
  inbox: AlertInbox,
  dialect: Dialect,
  body: Uint8Array,
): Promise<AlertAnswer> {
  return answerOf(await inbox.accept(readDocuments(dialect, body), dialect));
}

/** The same for a post that was taken before: it is read, and changes nothing. @throws BerthError as above */
export function answerReplay(dialect: Dialect, body: Uint8Array, now: Now): AlertAnswer {
  const outcomes = readDocuments(dialect, body).map((document, index) => ({
    index,
    ...replayedOutcome(document, dialect, now),
    stored: true,
  }));
  return answerOf(outcomes);
}

function answerOf(outcomes: Outcome[]): AlertAnswer {
  const count = (...states: string[]) => outcomes.filter(({ state }) => states.includes(state)).length;
  const failed = count('failed');
  const [first] = outcomes;
  if (first !== undefined && failed === outcomes.length) {
    const others = failed === 1 ? '' : ` (and ${failed - 1} more documents that could not be read)`;
    throw new BerthError('request.invalid', `${first.reason}${others}`, {
      hint: 'the inbox shows them under state=failed',
    });
  }
  return { accepted: count('unprocessed', 'processed'), skipped: count('skipped'), failed, outcomes };
}
