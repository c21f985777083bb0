// The policies in force over the API, with those that several services share and those that alerts make.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenAPIHono } from '@hono/zod-openapi';
import { policyRoutes } from '../../coordinator/api/policy-routes.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { choosePolicy } from '../../coordinator/cli/policy-commands.ts';
import { admitPolicy } from '../../coordinator/policy/admit.ts';
import { resolvePolicies } from '../../coordinator/policy/resolve-policies.ts';
import { withAlerts } from '../../coordinator/policy/with-alerts.ts';
import { isBerthError } from '../../shared/errors.ts';

const written = {
  name: 'shared',
  service: 'a',
  maxReplicas: 5,
  metrics: [
    {
      name: 'queue',
      source: {
        type: 'http',
        url: 'http://metrics/',
        value: '$.n',
        headers: { 'X-Api-Key': 'key of the test' },
      },
      target: { type: 'AverageValue', averageValue: 10 },
    },
  ],
};

function serve() {
  const { admitted, errors } = admitPolicy(written, 'test');
  assert.deepEqual(errors, []);
  const labels = [
    { service: 'b', policy: 'shared' },
    { service: 'c', policy: 'shared', max: 3 },
  ];
  const { effective } = resolvePolicies(admitted, [], labels);
  const all = [
    ...effective.map((each) => withAlerts(each.policy.service, each, [])),
    withAlerts('d', undefined, [{ direction: 'up', min: undefined, max: 4 }]),
  ].filter((each) => each !== undefined);
  const told: AuditEntry[] = [];
  const app = new OpenAPIHono();
  policyRoutes(app, {
    scaling: {
      effective: () => all,
      policyOf: (service) => all.find(({ policy }) => policy.service === service),
      policies: { problems: () => [], stored: () => [], put: async () => all[0], remove: async () => true },
    },
    audit: { record: async (entry) => void told.push(entry) },
  });
  return { app, told };
}

interface Page {
  items: { name: string; service: string; metrics: string[]; origins: Record<string, string> }[];
  next?: string;
}

test('each service has its page, also where several share a policy', async () => {
  const { app } = serve();
  const seen: string[] = [];
  for (let cursor: string | undefined, pages = 0; pages < 10; pages += 1) {
    const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = (await (await app.request(`/api/v1/policies?limit=1${query}`)).json()) as Page;
    seen.push(...page.items.map(({ name, service }) => `${service}: ${name}`));
    cursor = page.next;
    if (cursor === undefined) break;
  }
  assert.deepEqual(seen, ['a: shared', 'b: shared', 'c: shared', 'd: alerts:d']);
});

test('what is shown is what runs: with the metric of alerts, and alerts as an origin', async () => {
  const { app } = serve();
  const { items } = (await (await app.request('/api/v1/policies')).json()) as Page;
  assert.deepEqual(items[0]?.metrics, ['queue', 'alerts']);
  assert.deepEqual(new Set(Object.values(items[3]?.origins ?? {})), new Set(['alert']));
  assert.deepEqual(items[2]?.origins, {
    policy: 'file',
    service: 'label',
    minReplicas: 'file',
    maxReplicas: 'label',
  });
});

test('the audit of a policy that is written has the names of its headers, and not their values', async () => {
  const { app, told } = serve();
  const put = await app.request('/api/v1/policies/shared', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(written),
  });
  assert.equal(put.status, 200);
  const text = JSON.stringify(told);
  assert.match(text, /"headers":\{"X-Api-Key":"\(left out\)"\}/);
  assert.ok(!text.includes('key of the test'));
  assert.ok(text.includes('http://metrics/'));
});

test('one of several that share a policy is named by its service', () => {
  const items = [
    { name: 'p', service: 'b' },
    { name: 'p', service: 'a' },
    { name: 'q', service: 'c' },
  ];
  assert.equal(choosePolicy(items, 'q', undefined).service, 'c');
  assert.equal(choosePolicy(items, 'p', 'a').service, 'a');
  assert.throws(
    () => choosePolicy(items, 'p', undefined),
    (error) => isBerthError(error, 'request.invalid') && /share policy p: a, b/.test(error.message),
  );
  assert.throws(
    () => choosePolicy(items, 'p', 'c'),
    (error) => isBerthError(error, 'not-found'),
  );
});
