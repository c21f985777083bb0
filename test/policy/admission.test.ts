// What is refused, where, and with which mend.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { admitFile, admitPolicy, formatAdmissionError } from '../../coordinator/policy/admit.ts';
import { checked } from '../decide/seed.ts';

function errorsIn(text: string): string[] {
  return admitFile(text, 'policies.yaml').errors.map(formatAdmissionError);
}

function refusal(fields: string): string[] {
  return errorsIn(`policies:\n  - name: web\n    maxReplicas: 10\n${fields.replace(/^/gm, '    ')}\n`);
}

test('unknown fields are named with file, line, column and the likely slip', () => {
  assert.deepEqual(refusal('minReplica: 2'), [
    'policies.yaml:4:5: minReplica: there is no field "minReplica" here (did you mean minReplicas?)',
  ]);
  assert.deepEqual(refusal('behavior:\n  scaleUp:\n    stabilisationWindowSeconds: 5'), [
    'policies.yaml:6:9: behavior.scaleUp.stabilisationWindowSeconds: there is no field "stabilisationWindowSeconds" here ' +
      '(did you mean stabilizationWindowSeconds?)',
  ]);
  assert.deepEqual(
    refusal(
      'metrics:\n  - source: { type: haproxy, what: sesions }\n    target: { type: AverageValue, averageValue: 5 }',
    ),
    [
      'policies.yaml:5:40: metrics[0].source.what: "sesions" is not one of sessions, requestRate, queue, responseTime, errorRate ' +
        '(did you mean sessions?)',
    ],
  );
});

test('a required field that is only misspelt is reported once', () => {
  const errors = refusal(
    'metrics:\n  - source: { type: haproxy, what: sessions }\n    target: { type: AverageValue, averagValue: 5 }',
  );
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? '', /averagValue.*did you mean averageValue\?/);
});

test('bounds, targets, windows and periods that cannot be are refused', () => {
  const refused: [string, RegExp][] = [
    ['minReplicas: 11', /:4:18: minReplicas: minReplicas 11 is above maxReplicas 10/],
    ['minReplicas: -1', /minReplicas: -1 is below the least, 0/],
    [
      'metrics: [{source: {type: pushed, metric: x}, target: {type: Value, value: 0}}]',
      /value: 0 must be above 0/,
    ],
    [
      'metrics: [{source: {type: pushed, metric: x}, target: {type: Value, value: -2}}]',
      /value: -2 must be above 0/,
    ],
    ['behavior: {scaleDown: {stabilizationWindowSeconds: -5}}', /-5 is negative/],
    ['behavior: {scaleDown: {stabilizationWindowSeconds: 2h}}', /"2h" is longer than the most, 3600s/],
    [
      'behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 1801}]}}',
      /1801 is longer than the most, 1800s/,
    ],
    [
      'behavior: {scaleUp: {policies: [{type: Pods, value: 0, periodSeconds: 15}]}}',
      /value: 0 is below the least, 1/,
    ],
    ['interval: 100ms', /"100ms" is shorter than the least, 250ms/],
    ['combine: max(a, b', /combine: expected "\)"/],
    ['combine: a + 1', /combine: there is no metric "a"/],
    [
      'schedules: [{start: 0 8 * * *, minReplicas: 2}]',
      /the schedule has no time zone \(give timeZone here or in the policy/,
    ],
    ['timeZone: Mars/Olympus', /"Mars\/Olympus" is not an IANA time zone/],
    [
      'schedules: [{start: 61 8 * * *, minReplicas: 2, timeZone: UTC}]',
      /is not a cron expression: Invalid value for minute: 61/,
    ],
    [
      'schedules: [{start: 0 8 * * *, end: 0 8 * * *, minReplicas: 2, timeZone: UTC}]',
      /start and end are the same/,
    ],
    ['schedules: [{start: 0 8 * * *, timeZone: UTC}]', /gives neither minReplicas nor maxReplicas/],
    ['panic: {window: 90s, stable: 60s}', /window is longer than stable/],
    ['fallback: {replicas: 11}', /fallback.replicas 11 is above maxReplicas 10/],
    ['budget: {minAvailable: 2, maxUnavailable: 1}', /give minAvailable or maxUnavailable/],
  ];
  for (const [fields, message] of refused) assert.match(refusal(fields).join('\n'), message);
  assert.match(
    errorsIn('policies: [{name: web, maxReplicas: 0}]').join(),
    /maxReplicas: 0 is below the least, 1/,
  );
  assert.match(errorsIn('policies: [{name: web}]').join(), /maxReplicas: is missing/);
});

test('kinds that their source cannot feed are refused', () => {
  const metric = (source: string, target: string, extra = ''): string =>
    refusal(`metrics: [{source: ${source}, target: ${target}${extra}}]`).join('\n');
  assert.match(
    metric('{type: docker, what: cpu}', '{type: Value, value: 5}'),
    /Value needs one total.*use AverageValue/,
  );
  assert.match(
    metric('{type: pushed, metric: x}', '{type: Utilization, averageUtilization: 5}'),
    /Utilization needs the source docker/,
  );
  assert.match(
    metric('{type: haproxy, what: responseTime}', '{type: AverageValue, averageValue: 5}'),
    /responseTime does not grow.*use Threshold/,
  );
  assert.match(
    metric('{type: pushed, metric: x}', '{type: PassThrough}', ', role: guard'),
    /a guard needs a target of type Threshold/,
  );
  assert.match(
    metric('{type: pushed, metric: x}', '{type: Threshold, lower: 1}'),
    /needs addReplicas, addPercent or setReplicas/,
  );
  assert.match(metric('{type: pushed, metric: x}', '{type: Fixed, value: 2}'), /reads no source/);
  assert.match(refusal('metrics: [{target: {type: PassThrough}}]').join(), /needs a source/);
});

test('zero needs something that can wake the service', () => {
  const cpu = '{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}';
  assert.match(
    refusal(`minReplicas: 0\nmetrics: [${cpu}]`).join(),
    /nothing can wake the service.*haproxy queue or sessions/,
  );
  const queue = '{source: {type: haproxy, what: queue}, target: {type: AverageValue, averageValue: 5}}';
  assert.deepEqual(refusal(`minReplicas: 0\nmetrics: [${cpu}, ${queue}]`), []);
  assert.deepEqual(refusal(`minReplicas: 0\nactivation: false\nmetrics: [${cpu}]`), []);
});

test('names in expressions are placed inside the text, with the nearest known one', () => {
  const [error = ''] = refusal(
    'combine: "max(queu, 3)"\nmetrics: [{name: queue, source: {type: pushed, metric: x}, target: {type: PassThrough}}]',
  );
  assert.equal(error, 'policies.yaml:4:19: combine: there is no metric "queu" (did you mean queue?)');
});

test('one bad policy does not reject the others', () => {
  const text = [
    'policies:',
    '  - {name: a, maxReplicas: 5}',
    '  - {name: b, maxReplicas: 0}',
    '  - {name: c, maxReplicas: 5, scaleTargetRef: {kind: Deployment, name: other}}',
    '  - nonsense',
  ].join('\n');
  const { admitted, errors } = admitFile(text, 'p.yaml');
  assert.deepEqual(
    admitted.map(({ policy }) => [policy.name, policy.service]),
    [
      ['a', 'a'],
      ['c', 'other'],
    ],
  );
  assert.deepEqual(
    errors.map(({ line, policy }) => [line, policy]),
    [
      [3, 'b'],
      [5, null],
    ],
  );
});

test('a second policy on the same service is refused, and the first stays', () => {
  const { admitted, errors } = admitFile(
    'policies: [{name: a, maxReplicas: 5}, {name: b, service: a, maxReplicas: 5}]',
    'p.yaml',
  );
  assert.deepEqual(
    admitted.map(({ policy }) => policy.name),
    ['a'],
  );
  assert.match(errors.map(formatAdmissionError).join(), /policy "a" already scales the service "a"/);
});

test('a broken text is one error with its place; JSON, a list and a single policy are taken too', () => {
  const [error] = admitFile('policies:\n  - name: [a\n', 'p.yaml').errors;
  assert.deepEqual([error?.file, error?.policy], ['p.yaml', null]);
  assert.ok((error?.line ?? 0) >= 2);
  assert.match(errorsIn('other: 1').join(), /there are no policies/);
  for (const text of [
    '[{"name": "a", "maxReplicas": 3}]',
    '{"name": "a", "maxReplicas": 3}',
    '{"policies": [{"name": "a", "maxReplicas": 3}]}',
  ]) {
    assert.equal(admitFile(text, 'p.json').admitted.length, 1);
  }
});

test('a policy from elsewhere names its origin', () => {
  const { errors } = admitPolicy({ name: 'web', maxReplica: 3 }, 'label berth.policy of web_1');
  assert.match(
    errors.map(formatAdmissionError).join('\n'),
    /^label berth.policy of web_1: maxReplica: .*did you mean maxReplicas/,
  );
});

test('whatever is written, admission answers and never throws', () => {
  const keys = fc.constantFrom(
    'name',
    'minReplicas',
    'maxReplicas',
    'metrics',
    'behavior',
    'combine',
    'schedules',
    'pause',
    'preset',
    'constructor',
  );
  const anything = fc.dictionary(keys, fc.anything({ maxDepth: 3 }), { maxKeys: 6 });
  checked(
    fc.property(anything, (written) => {
      const { admitted, errors } = admitPolicy(written, 'test');
      assert.equal(admitted.length + Math.min(1, errors.length), 1);
      for (const error of errors) assert.ok(formatAdmissionError(error).length > 0);
    }),
    300,
  );
});
