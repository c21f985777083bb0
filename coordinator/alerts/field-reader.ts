// Reads one document's fields by the names that people use for them, and collects what is wrong with them.
//
// A field has tiers of spellings, and a document has places to look in (its root, the labels of the container, …).
// The first place that has it wins, in it the first tier. Two spellings of one tier that disagree are a problem: nobody
// can know which was meant. An empty text is an absent field.
import { parseDuration } from '../../shared/duration.ts';
import { type Problem, shown } from './alert-signal.ts';
import { type Fields, type Scalar, severalValues } from './document-fields.ts';

/** Spellings that mean the same, best tier first. */
export type Spellings = readonly (readonly string[])[];

interface Found {
  path: string;
  value: Scalar | typeof severalValues;
}

export class FieldReader {
  readonly problems: Problem[] = [];
  readonly #fields: Fields;
  readonly #places: readonly string[];

  constructor(fields: Fields, places: readonly string[]) {
    this.#fields = fields;
    this.#places = places;
  }

  /** A text that `pattern` accepts; `expects` completes "it must be …". */
  text(spellings: Spellings, pattern: RegExp, expects: string): string | undefined {
    return this.#read(spellings, `it must be ${expects}`, (value) => {
      const text = String(value).trim();
      return pattern.test(text) ? text : undefined;
    });
  }

  /** Any text, shortened to what a column takes. */
  words(spellings: Spellings): string | undefined {
    return this.#read(spellings, '', (value) => clip(clean(String(value))));
  }

  wholeNumber(spellings: Spellings, from: number, to: number): number | undefined {
    return this.#read(spellings, `it must be a whole number from ${from} to ${to}`, (value) => {
      // Adding 0 makes 0 of -0, which no database keeps.
      const number = typeof value === 'boolean' ? Number.NaN : Number(value) + 0;
      return Number.isInteger(number) && number >= from && number <= to ? number : undefined;
    });
  }

  oneOf<T extends string>(
    spellings: Spellings,
    options: readonly T[],
    mend: (value: string) => string,
  ): T | undefined {
    let given = '';
    return this.#read(
      spellings,
      () => mend(given),
      (value) => {
        given = String(value).trim().toLowerCase();
        return options.find((option) => option === given);
      },
    );
  }

  /** Milliseconds. */
  duration(spellings: Spellings, fromMs: number, toMs: number): number | undefined {
    const mend = 'it must be seconds or a duration such as `10m`, from 1s to 7d';
    return this.#read(spellings, mend, (value) => {
      const ms = parseDuration(String(value));
      return ms !== undefined && ms >= fromMs && ms <= toMs ? ms : undefined;
    });
  }

  /** Wall milliseconds, of an RFC 3339 text or a number of seconds or milliseconds; at most `latest`. */
  time(spellings: Spellings, latest: number): number | undefined {
    const mend = 'it must be a time such as 2026-08-03T09:52:26Z that is not in the future';
    return this.#read(spellings, mend, (value) => {
      const ms = timeOf(value);
      return ms !== undefined && ms > 0 && ms <= latest ? Math.round(ms) : undefined;
    });
  }

  /** The first field whose path starts with `prefix` and that holds a number. */
  numberWith(prefix: string): { path: string; value: number } | undefined {
    for (const [path, value] of this.#fields) {
      if (!path.startsWith(prefix) || typeof value === 'boolean' || value === '' || value === severalValues)
        continue;
      const number = Number(value) + 0;
      if (Number.isFinite(number)) return { path, value: number };
    }
    return undefined;
  }

  /** Says that something that is needed is not there. */
  miss(field: string, mend: string): void {
    this.problems.push({ field, value: 'missing', mend });
  }

  refuse(field: string, value: unknown, mend: string): void {
    this.problems.push({ field, value: shown(value), mend });
  }

  #read<T>(
    spellings: Spellings,
    mend: string | (() => string),
    parse: (value: Scalar) => T | undefined,
  ): T | undefined {
    const found = this.#find(spellings);
    if (found === undefined) return undefined;
    if (found.value === severalValues) {
      this.refuse(found.path, [], 'send one value');
      return undefined;
    }
    const parsed = parse(found.value);
    if (parsed === undefined) this.refuse(found.path, found.value, typeof mend === 'string' ? mend : mend());
    return parsed;
  }

  #find(spellings: Spellings): Found | undefined {
    for (const place of this.#places) {
      for (const tier of spellings) {
        const [first, ...others] = tier
          .map((name) => this.#at(place + name))
          .filter((found) => found !== undefined);
        if (first === undefined) continue;
        const other = others.find(({ value }) => String(value).trim() !== String(first.value).trim());
        if (other === undefined) return first;
        this.refuse(other.path, other.value, `${first.path} says ${shown(first.value)}; send one of the two`);
        return undefined;
      }
    }
    return undefined;
  }

  #at(path: string): Found | undefined {
    const value = this.#fields.get(path);
    return value === undefined || (typeof value === 'string' && clean(value) === '')
      ? undefined
      : { path, value };
  }
}

function timeOf(value: Scalar): number | undefined {
  if (typeof value === 'boolean') return undefined;
  const number = Number(value);
  if (Number.isFinite(number)) return number < 1e11 ? number * 1000 : number;
  const ms = Date.parse(String(value));
  return Number.isNaN(ms) ? undefined : ms;
}

/** Without NUL, which PostgreSQL does not take. */
function clean(text: string): string {
  return text.replaceAll('\0', '').trim();
}

function clip(text: string): string {
  return text.length <= 253 ? text : `${text.slice(0, 252)}…`;
}
