// Row 78: every running, ready agent has exactly one ready slot in each HAProxy, no ready slot points at anything else,
// and nothing is left behind by the dead: no lock row, and no slot that nobody can use. Pure: the facts come from Docker
// and from HAProxy.
import type { Rows, SlotRow } from './slot-rows.ts';

/** An app whose container runs. */
export interface RunningApp {
  name: string;
  backend: string;
  /** `10.0.0.5:8080` */
  at: string;
  /** It answers, and well. */
  ready: boolean;
}

export interface Bounds {
  /** With no coordinator there is nobody to reclaim the slot of one who died: its checks keep it out of traffic. */
  deadStayDown: boolean;
}

/** What is not as it should be, one line each; none when the invariant holds. */
export function violations(apps: readonly RunningApp[], rows: Rows, { deadStayDown }: Bounds): string[] {
  const has = (slot: SlotRow) => (app: RunningApp) => app.at === slot.at && app.backend === slot.backend;
  const found = apps.filter(({ ready }) => ready).flatMap((app) => violationsOf(app, rows));
  for (const slot of rows.slots) {
    const { at, backend, name, state } = slot;
    const isFree = state === 'maint' && /^(?:127\.|::1:|-:|:)/.test(at);
    if (isFree || apps.some((app) => has(slot)(app) && (app.ready || state !== 'ready'))) continue;
    if (deadStayDown && state !== 'ready') continue;
    found.push(`${backend}/${name} is ${state} at ${at}, where no ready app is`);
  }
  return [...found, ...rows.locks.map((lock) => `the lock row ${lock.name} is ${lock.seconds} s old`)];
}

function violationsOf({ name, backend, at }: RunningApp, rows: Rows): string[] {
  const mine = rows.slots.filter((slot) => slot.at === at && slot.backend === backend);
  const [only, ...more] = mine;
  if (only === undefined) return [`${name} (${at}) has no slot in ${backend}`];
  if (more.length > 0) return [`${name} has ${mine.map((slot) => slot.name).join(' and ')}`];
  return only.state === 'ready' ? [] : [`${name}'s slot ${only.name} is ${only.state}`];
}
