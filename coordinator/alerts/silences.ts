// The silences that are set: in memory for every look at an alert, in the database for the next run.
import { randomUUID } from 'node:crypto';
import { BerthError } from '../../shared/errors.ts';
import type { AlertSignal } from './alert-signal.ts';
import { isEmptyMatch, type Silence, type SilenceMatch, silenceFor } from './silence.ts';

export interface NewSilence {
  match: SilenceMatch;
  /** Wall milliseconds. */
  until: number;
  by: string;
  why: string;
}

export class Silences {
  readonly #byId = new Map<string, Silence>();
  readonly #write: (silence: Silence) => void;

  constructor(write: (silence: Silence) => void) {
    this.#write = write;
  }

  /** @throws BerthError `request.invalid` when it would match every alert, or is over already */
  set(given: NewSilence, nowWall: number): Silence {
    if (isEmptyMatch(given.match)) {
      const hint =
        'give a service, name, severity, action, container, fingerprint or dialect; `service: "*"` is all';
      throw new BerthError('request.invalid', 'the silence does not say which alerts', { hint });
    }
    if (!(given.until > nowWall)) {
      const hint = 'give a time that is still to come';
      throw new BerthError('request.invalid', 'the silence would be over already', { hint });
    }
    const silence: Silence = { id: randomUUID(), createdAt: nowWall, ...given };
    this.#keep(silence);
    return silence;
  }

  /** Ends one now. Undefined when there is none with this id. */
  end(id: string, nowWall: number): Silence | undefined {
    const silence = this.#byId.get(id);
    if (silence === undefined || silence.until <= nowWall) return undefined;
    const ended = { ...silence, until: nowWall };
    this.#keep(ended);
    return ended;
  }

  /** Takes up one of an earlier run, or the end of one that was ended elsewhere. True when that changes anything. */
  restore(silence: Silence, nowWall: number): boolean {
    const known = this.#byId.get(silence.id);
    if (known === undefined ? silence.until <= nowWall : known.until <= silence.until) return false;
    this.#byId.set(silence.id, silence);
    return true;
  }

  /** The one that keeps the alert from acting. */
  of(signal: AlertSignal, service: string | undefined, nowWall: number): Silence | undefined {
    return this.#byId.size === 0 ? undefined : silenceFor(signal, service, this.#byId.values(), nowWall);
  }

  /** Those that are not over. */
  list(nowWall: number): Silence[] {
    return [...this.#byId.values()].filter(({ until }) => nowWall < until);
  }

  forgetOver(nowWall: number): void {
    for (const { id, until } of this.#byId.values()) if (until <= nowWall) this.#byId.delete(id);
  }

  #keep(silence: Silence): void {
    this.#byId.set(silence.id, silence);
    this.#write(silence);
  }
}
