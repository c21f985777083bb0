// The log seam: what the shared parts and the two programs write to. pino satisfies it. `fields` carries an `event` in
// the past tense from the audit's vocabulary (`slot.claimed`, `haproxy.restarted`); `message` is the line for people.

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
