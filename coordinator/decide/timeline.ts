// Ages must survive both a clock that jumps and a restart. Every policy therefore has its own timeline `t` in milliseconds, which only
// moves forward: within one process by the monotonic clock, across a restart by the wall clock (never backwards). Whatever state
// remembers carries a `t`; calendars alone use wall time.

export type Now = {
  /** Milliseconds since the epoch: for calendars. */
  readonly wallMs: number;
  /** Milliseconds of a clock that never goes back, comparable only within one `run`. */
  readonly monoMs: number;
  /** Names the process: another value means that the coordinator was restarted, or that another one took over. */
  readonly run: string;
};

export type Timeline = Now & { readonly t: number };

/** The timeline moved on to `now`; it starts at 0. */
export function advance(previous: Timeline | null, now: Now): Timeline {
  if (previous === null) return { ...now, t: 0 };
  const elapsed = previous.run === now.run ? now.monoMs - previous.monoMs : now.wallMs - previous.wallMs;
  return { ...now, t: previous.t + Math.max(0, elapsed) };
}
