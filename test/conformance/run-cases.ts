// Runs every record of the conformance cases through the adapter of its kind.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Adapter } from './adapter.ts';
import { differences } from './compare.ts';
import { type Input, isInput, objectOf, textOf } from './fields.ts';

export type Priority = 'A' | 'B' | 'C';

export type CaseResult = {
  readonly name: string;
  readonly kind: string;
  /** `listed`: it differs, on purpose and with a reason in differences.json. */
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'listed';
  readonly detail: string;
};

/** The records that were handed out, or those that CONFORMANCE_CASES names. */
export function casesPath(): string {
  return process.env['CONFORMANCE_CASES'] ?? join(import.meta.dirname, 'cases.json');
}

export function loadCases(path: string): Input[] {
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!Array.isArray(parsed) || parsed.length === 0) throw new TypeError(`${path} holds no list of records`);
  return parsed.filter(isInput);
}

/** Reasons by the name of the record. */
export function loadDifferences(): Input {
  const parsed: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'differences.json'), 'utf8'));
  return isInput(parsed) ? parsed : {};
}

export function runCase(
  record: Input,
  adapters: Readonly<Record<string, Adapter>>,
  listed: Input,
): CaseResult {
  const name = textOf(record, 'name');
  const kind = textOf(record, 'kind');
  const adapter = Object.hasOwn(adapters, kind) ? adapters[kind] : undefined;
  if (adapter === undefined) return { name, kind, outcome: 'skipped', detail: 'no adapter for this kind' };
  const found = faultsOf(record, adapter, { name, kind });
  if (found.length === 0) return { name, kind, outcome: 'passed', detail: '' };
  const reason = Object.hasOwn(listed, name) ? textOf(listed, name) : null;
  if (reason !== null) return { name, kind, outcome: 'listed', detail: reason };
  return { name, kind, outcome: 'failed', detail: found.join('; ') };
}

function faultsOf(record: Input, adapter: Adapter, about: { name: string; kind: string }): string[] {
  try {
    return differences(objectOf(record, 'expected'), adapter(objectOf(record, 'input')), about);
  } catch (error) {
    return [`threw ${error instanceof Error ? error.message : String(error)}`];
  }
}
