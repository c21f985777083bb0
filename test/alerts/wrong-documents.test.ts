// What is wrong with a document is told by field, value and mend.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dialect } from '../../coordinator/alerts/alert-signal.ts';
import { parseAlert } from '../../coordinator/alerts/parse-alert.ts';
import { sampleTime } from './samples.ts';

const up = { rule_name: 'cpu', action: 'scale_up', service: 'web' };
const labels = { alertname: 'Load', service: 'web' };

/** Dialect, document, and each problem as field, value and a part of its mend. */
const wrong: [string, Dialect, unknown, [string, string, RegExp][]][] = [
  ['no object', 'elastalert', 'hello', [['the document', '"hello"', /send a JSON object/]]],
  ['a list in a list', 'generic', [], [['the document', 'a list', /send a JSON object/]]],
  ['null', 'alertmanager', null, [['the document', 'null', /send a JSON object/]]],
  ['too deep', 'elastalert', nested(40), [['the document', 'too large', /16 levels/]]],
  ['too many fields', 'elastalert', wide(6000), [['the document', 'too large', /at most 5000 fields/]]],
  [
    'neither rule nor action',
    'elastalert',
    { message: 'x' },
    [['rule_name', 'missing', /rule name, an action/]],
  ],
  [
    'an unknown action',
    'elastalert',
    { ...up, action: 'scale_upp' },
    [['action', '"scale_upp"', /mean scale_up\?$/]],
  ],
  [
    'no target',
    'elastalert',
    { action: 'scale_up' },
    [['service', 'missing', /scale_up must name a service/]],
  ],
  [
    'no container for a node action',
    'elastalert',
    { ...up, action: 'scale_up_node' },
    [['container_name', 'missing', /scale_up_node must say which container/]],
  ],
  [
    'no service for a service action',
    'elastalert',
    { action: 'scale_down_service', container_name: 'web_1' },
    [['container_service_name', 'missing', /scale_down_service must say which service/]],
  ],
  [
    'no backend for a HAProxy action',
    'elastalert',
    { action: 'haproxy_scale_down', container_name: 'web_1' },
    [['container_haproxy_backend', 'missing', /must name a HAProxy backend/]],
  ],
  [
    'several at once',
    'elastalert',
    { ...up, autoscale_max_instances: 'many', haproxy_port: 99999, autoscale_step: '0' },
    [
      ['haproxy_port', '99999', /whole number from 1 to 65535/],
      ['autoscale_step', '"0"', /whole number from 1 to 1000/],
      ['autoscale_max_instances', '"many"', /whole number/],
    ],
  ],
  [
    'spellings that disagree',
    'elastalert',
    { ...up, autoscale_max_instance: '3', autoscale_max_instances: 5 },
    [['autoscale_max_instances', '5', /autoscale_max_instance says "3"; send one/]],
  ],
  [
    'min above max',
    'elastalert',
    { ...up, autoscale_min_instance: 4, autoscale_max_instances: 2 },
    [['autoscale_min_instances', '4', /above autoscale_max_instances, 2/]],
  ],
  [
    'a command in a name',
    'elastalert',
    { ...up, service: 'web;shutdown' },
    [['service', '"web;shutdown"', /letters, digits/]],
  ],
  [
    'a command in a container label',
    'elastalert',
    { ...up, docker: { container: { labels: { container_haproxy_backend: 'a b\n' } } } },
    [['docker.container.labels.container_haproxy_backend', '"a b\\n"', /letters, digits/]],
  ],
  [
    'a naming convention that no container can have',
    'elastalert',
    { ...up, naming_convention: 'web {{n}}' },
    [['naming_convention', '"web {{n}}"', /names of containers can begin with/]],
  ],
  [
    'a naming convention in the generic form',
    'generic',
    { service: 'web', direction: 'up', naming: '-web' },
    [['naming', '"-web"', /names of containers can begin with/]],
  ],
  [
    'an odd time',
    'elastalert',
    { ...up, alert_time: 'noon' },
    [['alert_time', '"noon"', /2026-08-03T09:52:26Z/]],
  ],
  [
    'no status',
    'alertmanager',
    { labels, startsAt: sampleTime },
    [['status', 'missing', /firing or resolved/]],
  ],
  [
    'another status',
    'alertmanager',
    { status: 'suppressed', labels, startsAt: sampleTime },
    [['status', '"suppressed"', /firing or resolved/]],
  ],
  [
    'no name',
    'alertmanager',
    { status: 'firing', labels: { service: 'web' } },
    [['labels.alertname', 'missing', /has this label/]],
  ],
  [
    'from the future',
    'alertmanager',
    { status: 'firing', labels, startsAt: '2099-01-01T00:00:00Z' },
    [['startsAt', '"2099-01-01T00:00:00Z"', /not in the future/]],
  ],
  [
    'left out by Alertmanager',
    'alertmanager',
    { truncatedAlerts: 12 },
    [['truncatedAlerts', '12', /max_alerts: 0/]],
  ],
  [
    'a direction against the action',
    'alertmanager',
    { status: 'firing', labels: { ...labels, berth_action: 'scale_up', berth_direction: 'down' } },
    [['direction', '"down"', /contradicts the action/]],
  ],
  ['no direction', 'generic', { service: 'web' }, [['direction', 'missing', /up or down/]]],
  [
    'another direction',
    'generic',
    { service: 'web', direction: 'boo' },
    [['direction', '"boo"', /one of up, down/]],
  ],
  ['no service', 'generic', { direction: 'up' }, [['service', 'missing', /must name a service/]]],
  [
    'a misspelt key',
    'generic',
    { service: 'web', direction: 'up', setp: 2, colour: 'red' },
    [
      ['setp', '2', /did you mean step\?/],
      ['colour', '"red"', /put it under details/],
    ],
  ],
  [
    'a duration that is none',
    'generic',
    { service: 'web', direction: 'up', expiresIn: 'soon' },
    [['expiresIn', '"soon"', /duration such as `10m`/]],
  ],
  [
    'an object where a number belongs, with its own toString',
    'generic',
    { service: 'web', direction: 'up', step: { toString: 1 } },
    [['step', 'an object', /send one value/]],
  ],
  [
    'two values where one belongs',
    'elastalert',
    { ...up, action: ['scale_up', 'scale_down'] },
    [['action', 'a list', /send one value/]],
  ],
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let index = 0; index < depth; index += 1) value = { a: value };
  return value;
}

function wide(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
}

describe('a wrong document', () => {
  for (const [what, dialect, document, problems] of wrong) {
    it(`is answered with field, value and mend: ${what} (${dialect})`, () => {
      const parsed = parseAlert(dialect, document, Date.parse(sampleTime));
      assert.equal(parsed.ok, false);
      if (parsed.ok) return;
      assert.deepEqual(
        parsed.problems.map(({ field, value }) => [field, value]),
        problems.map(([field, value]) => [field, value]),
      );
      for (const [index, [, , mend]] of problems.entries())
        assert.match(parsed.problems[index]?.mend ?? '', mend);
    });
  }
});
