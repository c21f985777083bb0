// The sample documents of alerts, told about a container of a stage, and posted to its coordinator.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceView, Stage } from './stage.ts';

const samples = join(import.meta.dirname, '..', 'alerts', 'samples');

export type Document = Readonly<Record<string, unknown>>;

export interface InboxItem {
  name: string;
  state: string;
  status: string;
  reason: string;
  service: string | null;
  repeats: number;
}

/** A sample as it is, but for whom it is about and when. */
export async function readSample(
  stage: Stage,
  sample: string,
  about: Pick<InstanceView, 'name' | 'container'>,
): Promise<Document> {
  const text = (await readFile(join(samples, sample), 'utf8'))
    .replaceAll(/\b(?:webapp|worker)_\d\b/g, about.name)
    .replaceAll(/[0-9a-f]{64}/g, about.container)
    .replaceAll(/"(?:webapp|worker)"/g, `"${stage.service}"`)
    .replaceAll(/2026-03-02T[0-9:.]+Z/g, new Date().toISOString());
  return JSON.parse(text) as Document;
}

/** `{ a: { b: 1 } }` as `{ 'a.b': 1 }`: the other spelling that Elasticsearch's documents have. */
export function dotted(document: Document, prefix = ''): Document {
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(dotted(value as Document, `${prefix}${key}.`))
        : [[`${prefix}${key}`, value]],
    ),
  );
}

/** `{ 'a.b': 1 }` as `{ a: { b: 1 } }`. */
export function nested(document: Document): Document {
  const whole: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(document)) {
    const path = key.split('.');
    const last = path.pop() ?? key;
    let at = whole;
    for (const part of path) {
      const inner = (at[part] ?? {}) as Record<string, unknown>;
      at[part] = inner;
      at = inner;
    }
    at[last] = value;
  }
  return whole;
}

/** Posts it; resolves with its row of the inbox when that is no longer unprocessed. */
export async function postAlert(
  stage: Stage,
  document: Document,
  dialect = 'elastalert',
): Promise<InboxItem & { fingerprint: string }> {
  const { outcomes } = await stage.coordinator.write<{ outcomes: { fingerprint: string }[] }>(
    'POST',
    `/api/v1/alerts/${dialect}`,
    document,
  );
  const fingerprint = outcomes[0]?.fingerprint ?? '';
  let row: InboxItem | undefined;
  await stage.wait(
    async () => {
      const { items } = await stage.coordinator.read<{ items: (InboxItem & { fingerprint: string })[] }>(
        '/api/v1/alerts?limit=20',
      );
      row = items.find((item) => item.fingerprint === fingerprint);
      return row !== undefined && row.state !== 'unprocessed';
    },
    `${JSON.stringify(document)} is answered`,
  );
  if (row === undefined) throw new Error('it has no row');
  return { ...row, fingerprint };
}

/** Ends an alert, so that the next one is heard alone. */
export async function endAlert(stage: Stage, fingerprint: string): Promise<void> {
  await stage.coordinator.write('POST', '/api/v1/silences', {
    match: { fingerprint },
    for: '1h',
    by: 'test',
    why: 'the next one is heard alone',
  });
}
