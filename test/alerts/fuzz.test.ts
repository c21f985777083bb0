// Whatever is sent: nothing throws, each document has an outcome and a row, and the order of messages does not matter.
// fast-check prints the seed of a failure.
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { alertSignalSchema, dialects } from '../../coordinator/alerts/alert-signal.ts';
import { isLive, judgeAlert, type PoolEntry } from '../../coordinator/alerts/judge-alert.ts';
import { parseAlert } from '../../coordinator/alerts/parse-alert.ts';
import { readDocuments } from '../../coordinator/alerts/read-documents.ts';
import { isBerthError } from '../../shared/errors.ts';
import { allRows, openInbox } from './inbox-suite.ts';
import { expected, sampleBytes, sampleTime } from './samples.ts';

const now = Date.parse(sampleTime);
const dialect = fc.constantFrom(...dialects);
const sampleDocuments = Object.entries(expected).flatMap(([file, wanted]) =>
  readDocuments(wanted.dialect, sampleBytes(file)).map((document) => ({ document, dialect: wanted.dialect })),
);

/** What may stand where something else was expected. */
const odd = fc.oneof(
  fc.anything({ withNullPrototype: true, withBigInt: true, maxDepth: 3 }),
  fc.constantFrom(
    '',
    ' ',
    '-1',
    '1e999',
    'NaN',
    'true',
    '٣',
    '\0',
    '__proto__',
    'x'.repeat(10_000),
    -0,
    1e300,
  ),
  fc.string({ unit: 'binary' }),
);

/** A sample in which one value, or one key, is another. */
const mutated = fc
  .tuple(fc.constantFrom(...sampleDocuments), fc.nat(), odd, fc.boolean())
  .map(([sample, place, value, renames]) => {
    const document: unknown = structuredClone(sample.document);
    const leaves: { holder: Record<string, unknown>; key: string }[] = [];
    const visit = (holder: unknown) => {
      if (typeof holder !== 'object' || holder === null) return;
      for (const key of Object.keys(holder)) {
        leaves.push({ holder: holder as Record<string, unknown>, key });
        visit((holder as Record<string, unknown>)[key]);
      }
    };
    visit(document);
    const leaf = leaves[place % leaves.length];
    if (leaf !== undefined && renames) {
      leaf.holder[`${leaf.key}x`] = leaf.holder[leaf.key];
      delete leaf.holder[leaf.key];
    } else if (leaf !== undefined) leaf.holder[leaf.key] = value;
    return { document, dialect: sample.dialect };
  });

describe('parsers', () => {
  it('give a signal or problems with field, value and mend for anything, and never throw', () => {
    const given = fc.oneof(fc.record({ document: odd, dialect }), mutated);
    const property = fc.property(given, ({ document, dialect: of }) => {
      const parsed = parseAlert(of, document, now);
      if (parsed.ok) {
        assert.deepEqual(alertSignalSchema.parse(JSON.parse(JSON.stringify(parsed.signal))), parsed.signal);
        return;
      }
      assert.ok(parsed.problems.length > 0);
      for (const { field, value, mend } of parsed.problems)
        assert.ok(field !== '' && value !== '' && mend !== '');
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('turn any bytes into documents, or refuse them with a coded error', () => {
    const lines = fc
      .array(fc.oneof(fc.json(), fc.string(), fc.constantFrom('{"index":{}}', '')))
      .map((parts) => Buffer.from(parts.join('\n')));
    const property = fc.property(dialect, fc.oneof(fc.uint8Array(), lines), (of, bytes) => {
      try {
        assert.ok(readDocuments(of, bytes).length > 0);
      } catch (error) {
        if (!isBerthError(error, 'request.invalid')) throw error;
      }
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('read nested, dotted and mixed keys alike', () => {
    const flat = {
      rule_name: 'cpu',
      action: 'scale_up_node',
      'docker.container.id': '0123456789ab',
      'docker.container.name': 'web_1',
      'docker.container.labels.container_service_name': 'web',
      'docker.container.labels.container_haproxy_backend': 'app',
      'host.name': 'docker1',
      'metric_docker.cpu.total.pct_avg': 0.9,
    };
    const wanted = parseAlert('elastalert', flat, now);
    assert.equal(wanted.ok, true);
    const property = fc.property(fc.infiniteStream(fc.boolean()), (coins) => {
      const document: Record<string, unknown> = {};
      for (const [path, value] of Object.entries(flat)) {
        let holder = document;
        let key = '';
        const parts = path.split('.');
        for (const [index, part] of parts.entries()) {
          key = key === '' ? part : `${key}.${part}`;
          if (index === parts.length - 1 || coins.next().value === false) continue;
          const inner = (holder[key] ?? {}) as Record<string, unknown>;
          holder[key] = inner;
          holder = inner;
          key = '';
        }
        holder[key] = value;
      }
      assert.deepEqual(parseAlert('elastalert', document, now), wanted);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('the inbox', () => {
  it('has an outcome and a row for every document of any batch', async (t: TestContext) => {
    const given = fc.array(
      fc.oneof(
        odd,
        mutated.map(({ document }) => document),
      ),
      { maxLength: 30 },
    );
    const property = fc.asyncProperty(dialect, given, async (of, documents) => {
      const { inbox, store } = await openInbox(t, 'sqlite::memory:');
      const outcomes = await inbox.accept(documents, of);
      const rows = new Set((await allRows(inbox)).map(({ fingerprint }) => fingerprint));
      await store.close();
      assert.equal(outcomes.length, documents.length);
      for (const { fingerprint, stored } of outcomes) assert.ok(stored && rows.has(fingerprint));
    });
    await fc.assert(property, { numRuns: 60 });
  });
});

describe('messages of one alert', () => {
  it('lead to the same end in any order, with any of them twice', () => {
    const given = fc.record({
      firings: fc.integer({ min: 1, max: 4 }),
      lastIsOver: fc.boolean(),
      order: fc.infiniteStream(fc.nat()),
      twice: fc.infiniteStream(fc.boolean()),
    });
    const property = fc.property(given, ({ firings, lastIsOver, order, twice }) => {
      const messages: { status: 'firing' | 'resolved'; startsAt: number }[] = [];
      for (let index = 0; index < firings; index += 1) {
        const startsAt = now - 1_000_000 + index * 1000;
        const kinds =
          index < firings - 1 || lastIsOver ? (['firing', 'resolved'] as const) : (['firing'] as const);
        for (const status of kinds) {
          messages.push({ status, startsAt });
          if (twice.next().value === true) messages.push({ status, startsAt });
        }
      }
      let entry: PoolEntry | undefined;
      for (let at = 0; messages.length > 0; at += 10) {
        const [message] = messages.splice((order.next().value ?? 0) % messages.length, 1);
        if (message === undefined) break;
        const signal = {
          dialect: 'alertmanager' as const,
          fingerprint: 'a',
          name: 'a',
          ask: { kind: 'named' as const },
          ...message,
        };
        const verdict = judgeAlert(entry, signal, { monotonic: at, wall: now + at });
        entry = verdict.kind === 'ignored' ? (verdict.mark ?? entry) : verdict.entry;
      }
      assert.equal(entry !== undefined && isLive(entry, { monotonic: 10_000, wall: now }), !lastIsOver);
    });
    fc.assert(property, { numRuns: 3000 });
  });
});
