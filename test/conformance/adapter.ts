// An adapter turns a record's input into a call of what the live loop calls, and its answer into the record's names. It decides nothing.
import type { Input } from './fields.ts';

export type Answer = Readonly<Record<string, unknown>>;
export type Adapter = (input: Input) => Answer;
