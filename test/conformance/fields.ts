// Reads a record's input: names and types only. Integers beyond 2^53 are written as decimal strings.

export type Input = Readonly<Record<string, unknown>>;

export function numberOrNull(input: Input, key: string): number | null {
  const value = input[key];
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return Number(BigInt(value));
  if (value === 'NaN') return Number.NaN;
  if (typeof value === 'number') return value;
  throw new TypeError(`${key} is ${JSON.stringify(value)}, not a number`);
}

export function numberOf(input: Input, key: string, otherwise?: number): number {
  const value = numberOrNull(input, key) ?? otherwise;
  if (value === undefined) throw new TypeError(`${key} is missing`);
  return value;
}

export function textOrNull(input: Input, key: string): string | null {
  const value = input[key];
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  throw new TypeError(`${key} is ${JSON.stringify(value)}, not a text`);
}

export function textOf(input: Input, key: string): string {
  const value = textOrNull(input, key);
  if (value === null) throw new TypeError(`${key} is missing`);
  return value;
}

export function flagOrNull(input: Input, key: string): boolean | null {
  const value = input[key];
  return typeof value === 'boolean' ? value : null;
}

export function flagOf(input: Input, key: string): boolean {
  return input[key] === true;
}

export function isInput(value: unknown): value is Input {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectOrNull(input: Input, key: string): Input | null {
  const value = input[key];
  return isInput(value) ? value : null;
}

export function objectOf(input: Input, key: string): Input {
  const value = objectOrNull(input, key);
  if (value === null) throw new TypeError(`${key} is missing`);
  return value;
}

export function objectsOf(input: Input, key: string): Input[] {
  const value = input[key];
  return Array.isArray(value) ? value.filter(isInput) : [];
}

export function numbersOf(input: Input, key: string): number[] {
  const value = input[key];
  return Array.isArray(value) ? value.map((entry: unknown) => numberOf({ entry }, 'entry')) : [];
}

export function textsOf(input: Input, key: string): string[] {
  const value = input[key];
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

export function secondsOf(input: Input, key: string, otherwise?: number): number {
  return numberOf(input, key, otherwise) * 1000;
}

export function secondsOrNull(input: Input, key: string): number | null {
  const seconds = numberOrNull(input, key);
  return seconds === null ? null : seconds * 1000;
}
