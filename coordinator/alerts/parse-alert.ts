import type { Dialect, ParsedAlert } from './alert-signal.ts';
import { parseAlertmanager } from './parse-alertmanager.ts';
import { parseElastalert } from './parse-elastalert.ts';
import { parseGeneric } from './parse-generic.ts';

const parsers: Record<Dialect, (document: unknown, nowWall: number) => ParsedAlert> = {
  elastalert: parseElastalert,
  alertmanager: parseAlertmanager,
  generic: parseGeneric,
};

/** One document as a signal, or what is wrong with it. Never throws, whatever the document is. */
export function parseAlert(dialect: Dialect, document: unknown, nowWall: number): ParsedAlert {
  return parsers[dialect](document, nowWall);
}
