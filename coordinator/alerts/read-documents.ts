// From the bytes of a post or of a queue's message to documents: one JSON object, a list of them, an answer of
// Elasticsearch (`hits.hits`), or one object a line (the bulk format's action lines are left out). What is no JSON is a
// document too, its text: it is refused like any other wrong document, and keeps no other from being read.
import { BerthError } from '../../shared/errors.ts';
import type { Dialect } from './alert-signal.ts';
import { alertsOf } from './parse-alertmanager.ts';

export const maxAlertBytes = 16 * 1024 * 1024;
export const maxAlertDocuments = 20_000;

/** @throws BerthError `request.invalid` when there is nothing in it, or too much */
export function readDocuments(dialect: Dialect, body: Uint8Array): unknown[] {
  if (body.length > maxAlertBytes) throw tooMuch(`${body.length} bytes`, `${maxAlertBytes} bytes`);
  const text = new TextDecoder().decode(body).trim();
  const whole = parseJson(text);
  const bodies = whole === undefined ? linesOf(text) : unwrap(whole);
  const documents = dialect === 'alertmanager' ? bodies.flatMap(alertsOf) : bodies;
  if (documents.length > maxAlertDocuments)
    throw tooMuch(`${documents.length} alerts`, `${maxAlertDocuments}`);
  if (text === '' || documents.length === 0) {
    throw new BerthError('request.invalid', 'there is no alert in the body', {
      hint: 'send a JSON object, or a list',
    });
  }
  return documents;
}

function tooMuch(given: string, most: string): BerthError {
  return new BerthError('request.invalid', `the body has ${given}; the most is ${most}`, {
    hint: 'send it in several posts',
  });
}

function unwrap(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'object' && value !== null && 'hits' in value) {
    const { hits } = value;
    if (typeof hits === 'object' && hits !== null && 'hits' in hits && Array.isArray(hits.hits))
      return hits.hits;
  }
  return [value];
}

function linesOf(text: string): unknown[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map((line) => parseJson(line) ?? line);
  if (lines.length < 2 || values.every((value) => typeof value === 'string')) return [text];
  return values.filter((value) => !isBulkAction(value));
}

function isBulkAction(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const [key, ...others] = Object.keys(value);
  return others.length === 0 && ['index', 'create', 'update', 'delete'].includes(key ?? '');
}

/** Undefined when it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
