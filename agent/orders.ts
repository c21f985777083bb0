// What the two processes of BERTH_ON_AGENT_EXIT=keep say to each other, over Node's channel between parent and child:
//
//   parent → worker   leave    out of traffic, then the hook, within these times; the worker goes on
//                     skip     no more waiting for what `leave` waits for
//                     note     something for the coordinator's audit
//                     end      give the slot back and end with exit code 0; also without a `leave`, when the app is dead
//   worker → parent   left     `leave` is done
//                     gave-up  a probe gave the app up
//
// Orders say how long something may still take, since clocks of two processes have nothing in common. A worker that is
// started while the parent stops is told all of it anew. The channel's end tells the worker that the parent is dead.

export type Order =
  | { order: 'leave'; reason: string; drainMs: number; hookMs: number }
  | { order: 'skip' }
  | { order: 'note'; event: string; reason: string }
  | { order: 'end'; reason: string };

export type Report = { report: 'left' } | { report: 'gave-up'; reason: string };

/** Both are the same program: what is checked is that it is one of these messages at all. */
export function isOrder(message: unknown): message is Order {
  return typeof message === 'object' && message !== null && 'order' in message;
}

export function isReport(message: unknown): message is Report {
  return typeof message === 'object' && message !== null && 'report' in message;
}
