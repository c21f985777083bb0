import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatNotice } from '../../coordinator/notices/format-notice.ts';
import { type Notice, NoticeBuffer } from '../../coordinator/notices/notice-buffer.ts';
import { type NoticeTarget, noticeTargetSchema, wantsRow } from '../../coordinator/notices/notice-target.ts';
import { row } from './rows.ts';

const kinds: NoticeTarget['kind'][] = ['mattermost', 'slack', 'teams', 'webhook'];
const notice: Notice = {
  rows: [row({ policy: 'steady', metric: 'queue', value: 12.5, alert: 'QueueLong', outcome: 'held' })],
  more: [{ event: 'slot.repaired', service: 'web', outcome: 'ok', count: 40 }],
};

describe('a notice', () => {
  it('is blocks for Slack', () => {
    assert.deepEqual(JSON.parse(formatNotice('slack', notice)), {
      text: 'Berth: web: scale.decided 2 → 4 (held)',
      blocks: [
        {
          type: 'section',
          text: { type: 'mrkdwn', text: '*web: scale.decided 2 → 4 (held)*\nthe queue is long' },
        },
        {
          type: 'context',
          elements: [
            {
              type: 'mrkdwn',
              text: 'policy: steady · metric: queue = 12.5 · alert: QueueLong · 2026-03-02 10:00:00 UTC by coordinator',
            },
          ],
        },
        { type: 'section', text: { type: 'mrkdwn', text: 'And besides: 40 × slot.repaired of web' } },
      ],
    });
  });

  it('is attachments for Mattermost', () => {
    assert.deepEqual(JSON.parse(formatNotice('mattermost', notice)), {
      text: 'And besides: 40 × slot.repaired of web',
      attachments: [
        {
          fallback: 'web: scale.decided 2 → 4 (held)',
          color: '#daa038',
          title: 'web: scale.decided 2 → 4 \\(held\\)',
          text: 'the queue is long',
          fields: [
            { short: true, title: 'policy', value: 'steady' },
            { short: true, title: 'metric', value: 'queue = 12.5' },
            { short: true, title: 'alert', value: 'QueueLong' },
          ],
          footer: '2026-03-02 10:00:00 UTC by coordinator',
        },
      ],
    });
  });

  it('is an Adaptive Card in a message for Teams', () => {
    const message = JSON.parse(formatNotice('teams', notice));
    assert.equal(message.type, 'message');
    assert.equal(message.attachments.length, 1);
    const [{ contentType, content }] = message.attachments;
    assert.equal(contentType, 'application/vnd.microsoft.card.adaptive');
    assert.partialDeepStrictEqual(content, {
      type: 'AdaptiveCard',
      version: '1.4',
      body: [
        {
          type: 'Container',
          items: [
            { type: 'TextBlock', text: 'web: scale.decided 2 → 4 \\(held\\)', color: 'Warning' },
            { type: 'TextBlock', text: 'the queue is long' },
            { type: 'FactSet', facts: [{ title: 'policy', value: 'steady' }] },
          ],
        },
        { type: 'TextBlock', text: 'And besides: 40 × slot.repaired of web' },
      ],
    });
  });

  it('is the rows themselves for any other webhook', () => {
    const body = JSON.parse(formatNotice('webhook', notice));
    assert.deepEqual([body.version, body.source, body.more], [1, 'berth', notice.more]);
    assert.deepEqual(body.rows, [{ ...notice.rows[0], at: '2026-03-02T10:00:00.000Z' }]);
  });

  it('turns no name or reason into a mention, a link or markup, and stays within the limits of each chat', () => {
    const odd = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 500 }),
      fc.constantFrom(
        '<!channel>',
        '@all',
        '[x](http://evil)',
        '<http://evil|x>',
        '**b**',
        '\n# h',
        '😀'.repeat(400),
        '漢'.repeat(500),
      ),
    );
    const rows = fc.array(
      fc.record({
        service: odd,
        reason: odd,
        alert: odd,
        container: odd,
        policy: odd,
        from: odd,
        to: odd,
        actor: odd,
        host: odd,
        slot: odd,
      }),
      { maxLength: 30 },
    );
    const property = fc.property(rows, (given) => {
      const buffer = new NoticeBuffer();
      for (const [index, entry] of given.entries()) buffer.add(row({ ...entry, event: `e${index}` }));
      const all = buffer.take();
      const slack = formatNotice('slack', all);
      assert.doesNotMatch(slack, /<[^>]/);
      const parsed = JSON.parse(slack) as { blocks: { text?: { text: string } }[] };
      assert.ok(parsed.blocks.length <= 50);
      for (const block of parsed.blocks) assert.ok((block.text?.text.length ?? 0) <= 3000);
      const teams = formatNotice('teams', all);
      assert.ok(Buffer.byteLength(teams) <= 28 * 1024, `${Buffer.byteLength(teams)} bytes`);
      for (const text of [formatNotice('mattermost', all), teams]) {
        const { values } = textsOf(JSON.parse(text));
        for (const value of values.filter((value) => !value.startsWith('http://adaptivecards.io')))
          assert.doesNotMatch(value, /@\w|(?<!\\)\]\(|(?<!\\)\*\*|\n/);
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('tells of every row, as itself or in a count, however many there are', () => {
    const property = fc.property(
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 400 }),
      fc.boolean(),
      (events, lost) => {
        const buffer = new NoticeBuffer();
        for (const event of events) buffer.add(row({ event: `event.${event}` }));
        if (lost) buffer.putBack(buffer.take());
        assert.equal(buffer.size, events.length);
        const { rows, more } = buffer.take();
        assert.equal(rows.length + more.reduce((sum, { count }) => sum + count, 0), events.length);
        assert.ok(rows.length <= 8 && more.length <= 21);
        assert.equal(buffer.empty, true);
        for (const kind of kinds) assert.ok(formatNotice(kind, { rows, more }).length > 0);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});

describe('a target', () => {
  const parse = (more: object) =>
    noticeTargetSchema.safeParse({ name: 'ops', kind: 'slack', urlFile: '/run/url', ...more });

  it('says which events, outcomes and services it wants', () => {
    const wants = (more: object, of: Parameters<typeof row>[0]) => {
      const target = noticeTargetSchema.parse({ name: 'ops', kind: 'slack', urlFile: '/run/url', ...more });
      return wantsRow(target, row(of));
    };
    assert.equal(wants({}, {}), true);
    assert.equal(wants({}, { event: 'slot.repaired' }), false);
    assert.equal(wants({ events: ['slot.repaired'] }, { event: 'slot.repaired' }), true);
    assert.equal(wants({ events: ['*'] }, { event: 'anything.else' }), true);
    assert.equal(wants({ outcomes: ['failed'] }, {}), false);
    assert.equal(wants({ services: ['shop'] }, {}), false);
    assert.equal(wants({ services: ['web'] }, {}), true);
  });

  it('refuses a URL in place of a file, unknown keys and odd events', () => {
    assert.equal(parse({}).success, true);
    assert.equal(parse({ url: 'http://x' }).success, false);
    assert.equal(parse({ events: ['Scale Up'] }).success, false);
    assert.equal(parse({ kind: 'irc' }).success, false);
    assert.equal(parse({ perMinute: 0 }).success, false);
  });
});

function textsOf(value: unknown): { values: string[] } {
  if (typeof value === 'string') return { values: [value] };
  if (typeof value !== 'object' || value === null) return { values: [] };
  const entries = Object.entries(value).filter(([key]) => key !== 'fallback' && key !== 'footer');
  return { values: entries.flatMap(([, inner]) => textsOf(inner).values) };
}
