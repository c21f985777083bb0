// From proposals to one count. Every proposal votes for a direction and a count; up beats none, none beats down, and of two in the same
// direction the larger count wins: the safest choice. Members of a group that see no need for change leave the word to the others.
import type { Direction } from './saturate.ts';

export type Vote = { readonly direction: Direction; readonly count: number };

const weight: Readonly<Record<Direction, number>> = { up: 1, none: 0, down: -1 };

export function preempt(a: Vote, b: Vote): Vote {
  if (a.direction !== b.direction) return weight[b.direction] > weight[a.direction] ? b : a;
  return a.direction !== 'none' && b.count > a.count ? b : a;
}

/** The vote of one group; null entries abstain. The group '' is none: each member counts for itself. */
export function groupWinner(group: string, votes: readonly (Vote | null)[]): Vote | null {
  const given = votes.filter((vote) => vote !== null);
  const pleading = group === '' ? given : given.filter((vote) => vote.direction !== 'none');
  const winner = strongest(pleading);
  if (winner !== null) return winner;
  return given.length > 0 && given.length === votes.length ? (given[0] ?? null) : null;
}

/** The winner among all groups; null when everybody abstains. */
export function chooseVote(groups: Readonly<Record<string, readonly (Vote | null)[]>>): Vote | null {
  const winners = Object.entries(groups).map(([group, votes]) => groupWinner(group, votes));
  return strongest(winners.filter((vote) => vote !== null));
}

function strongest(votes: readonly Vote[]): Vote | null {
  return votes.reduce<Vote | null>((best, vote) => (best === null ? vote : preempt(best, vote)), null);
}
