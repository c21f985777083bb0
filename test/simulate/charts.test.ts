import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadSpan } from '../../coordinator/simulate/comparison.ts';
import { formatMarkdown } from '../../coordinator/simulate/format-summary.ts';
import { chooseModel } from '../../coordinator/simulate/service-model.ts';
import type { Sample } from '../../coordinator/simulate/simulate.ts';
import { simulate } from '../../coordinator/simulate/simulate.ts';
import { formatSvg } from '../../coordinator/simulate/svg-chart.ts';
import { chartTop, formatMoment, formatTextChart } from '../../coordinator/simulate/text-chart.ts';
import { madeTrace } from '../../coordinator/simulate/trace.ts';
import { admittedOf, byHaproxy } from './policies.ts';

const durationMs = 72_000;
const samples: Sample[] = Array.from({ length: 72 }, (_, second) => ({
  t: second * 1000,
  load: 0,
  needed: second < 24 ? 3 : 9,
  desired: second < 26 ? 4 : 12,
  ready: second < 36 ? 4 : 12,
  queue: 0,
}));

describe('the chart in a terminal', () => {
  it('shows ready as bars, wanted as a line, load as dots, and what went wrong below', () => {
    const disturbances = [{ kind: 'away', fromMs: 60_000, toMs: 66_000 }] as const;
    assert.equal(
      formatTextChart({ samples }, { durationMs, disturbances }),
      [
        ' 12 ┤                          ━━━━━━━━━━████████████████████████████████████',
        '    │                                    ████████████████████████████████████',
        '    │                                    ████████████████████████████████████',
        `    │                        ${'•'.repeat(48)}`,
        ...Array.from(
          { length: 4 },
          (_, row) =>
            `${row === 2 ? '  6 ┤' : '    │'}                                    ████████████████████████████████████`,
        ),
        `    │████████████████████████████████████████████████████████████████████████`,
        `    │${'•'.repeat(24)}${'█'.repeat(48)}`,
        `    │${'█'.repeat(72)}`,
        `    │${'█'.repeat(72)}`,
        `  0 ┼${'─'.repeat(60)}${'╳'.repeat(6)}${'─'.repeat(6)}`,
        '     0s                18s               36s               54s            72s',
        '     █ ready  ━ wanted  • load, in instances that it needs  ╳ sources away',
        '',
      ].join('\n'),
    );
  });

  it('has a round value at its top, and moments that are short', () => {
    assert.deepEqual(
      [0.2, 9.2, 12, 47].map((needed) =>
        chartTop([[{ ...(samples[0] as Sample), needed, desired: 0, ready: 0 }]]),
      ),
      [1, 10, 12, 48],
    );
    assert.deepEqual([0, 90_000, 150_000, 86_400_000].map(formatMoment), ['0s', '90s', '2:30', '24h']);
  });
});

describe('the chart as SVG', () => {
  it('stands alone: well-formed, nothing from elsewhere, names escaped, a panel for each policy', () => {
    const admitted = admittedOf({ name: 'a<b & "c"', metrics: [byHaproxy('sessions', 10)] });
    const model = chooseModel(admitted);
    const trace = madeTrace('partial-outage', loadSpan(admitted, model));
    const simulation = simulate(admitted, trace, model);
    const compared = [
      { title: admitted.policy.name, simulation },
      { title: 'other', simulation },
    ];
    const svg = formatSvg(trace, compared);
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    assert.ok(svg.includes('a&lt;b &amp; "c"'));
    assert.ok(!/href|url\(|<script|NaN|undefined/.test(svg));
    assert.equal(svg.split('class="panel"').length, 3);
    assert.equal(svg.split('half of the numbers missing').length, 3);
    assert.ok(svg.includes('prefers-color-scheme: dark'));
    const opened = [...svg.matchAll(/<([a-z]+)(?=[ >])(?:[^>]*[^/>])?>/g)].map(([, name]) => name).sort();
    const closed = [...svg.matchAll(/<\/([a-z]+)>/g)].map(([, name]) => name).sort();
    assert.deepEqual(opened, closed);
  });
});

describe('the table for a page', () => {
  it('has one row for each load and policy', () => {
    const admitted = admittedOf({ metrics: [byHaproxy('requestRate', 10)] });
    const model = chooseModel(admitted);
    const simulation = simulate(admitted, madeTrace('step', { base: 10, peak: 10 }), model, { noise: 0 });
    const compared = [
      { title: 'one', simulation },
      { title: 'two', simulation },
    ];
    assert.equal(
      formatMarkdown([{ trace: 'flat', compared }]),
      [
        '| load | loop | largest | overshoot | s under target | s saturated | max queue | given up | changes | instance-hours |',
        '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
        '| flat | one | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0.25 |',
        '|  | two | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0.25 |',
        '',
      ].join('\n'),
    );
  });
});
