// What each file in samples/ asks for, at 2026-03-02T10:00:00Z, when containers belong to the services that
// `serviceOf` says.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AlertDemand } from '../../coordinator/alerts/alert-demand.ts';
import type { Dialect } from '../../coordinator/alerts/alert-signal.ts';

const folder = join(import.meta.dirname, 'samples');

export const sampleTime = '2026-03-02T10:00:00.000Z';
export const sampleFiles = readdirSync(folder).sort();

export function sampleBytes(file: string): Buffer {
  return readFileSync(join(folder, file));
}

export interface Expected {
  dialect: Dialect;
  /** The rows that the inbox then has, oldest first within the post. */
  rows: { name: string; status: 'firing' | 'resolved'; action: string | null; service: string | null }[];
  /** What live alerts ask for, by service; only these keys are compared. */
  demands?: Record<string, (Partial<AlertDemand> & Pick<AlertDemand, 'kind'>)[]>;
  /** Steps that `decide` sees, by service. */
  steps: Record<string, (number | undefined)[]>;
}

const at = (time: string) => Date.parse(time);
const minutes = 60_000;
const webapp3 = 'a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2';

export const expected: Record<string, Expected> = {
  'elastalert-service-availability.json': {
    dialect: 'elastalert',
    rows: [
      { name: 'web container stopped', status: 'firing', action: 'service_availability', service: 'webapp' },
    ],
    demands: {
      webapp: [
        {
          kind: 'availability',
          container: {
            id: '3f4e5d6c7b8a3f4e5d6c7b8a3f4e5d6c7b8a3f4e5d6c7b8a3f4e5d6c7b8a3f4e',
            name: 'webapp_1',
            host: 'docker1',
          },
          haproxy: { host: 'lb1', port: 9999, backend: 'app', node: 'node', appPort: 8080 },
          since: at(sampleTime),
          expiresAt: at(sampleTime) + 10 * minutes,
        },
      ],
    },
    steps: { webapp: [] },
  },
  'elastalert-scale-up.json': {
    dialect: 'elastalert',
    rows: [{ name: 'cpu high', status: 'firing', action: 'scale_up', service: 'webapp' }],
    demands: {
      webapp: [
        {
          kind: 'scale',
          direction: 'up',
          step: 1,
          min: 2,
          max: 6,
          policy: 'steady',
          naming: 'webapp_',
          severity: 'critical',
          container: { name: 'webapp_2' },
          since: at('2026-03-02T09:59:30Z'),
          expiresAt: at('2026-03-02T10:09:30Z'),
        },
      ],
    },
    steps: { webapp: [1] },
  },
  'elastalert-scale-down.json': {
    dialect: 'elastalert',
    rows: [{ name: 'cpu low', status: 'firing', action: 'scale_down', service: 'webapp' }],
    demands: {
      webapp: [
        { kind: 'scale', direction: 'down', step: 1, min: 2, max: 6, policy: 'steady', naming: 'webapp_' },
      ],
    },
    steps: { webapp: [-1] },
  },
  'elastalert-scale-up-node.json': {
    dialect: 'elastalert',
    rows: [{ name: 'memory high on one', status: 'firing', action: 'scale_up_node', service: 'webapp' }],
    demands: {
      webapp: [
        {
          kind: 'node',
          direction: 'up',
          step: 1,
          max: 4,
          policy: 'memory',
          naming: 'webapp_',
          container: { id: webapp3, name: 'webapp_3', host: 'docker2' },
        },
      ],
    },
    steps: { webapp: [1] },
  },
  'elastalert-scale-down-node.json': {
    dialect: 'elastalert',
    rows: [{ name: 'memory low on one', status: 'firing', action: 'scale_down_node', service: 'webapp' }],
    demands: {
      webapp: [
        {
          kind: 'node',
          direction: 'down',
          step: 1,
          min: 1,
          policy: 'memory',
          naming: 'webapp_',
          container: { id: webapp3, name: 'webapp_3' },
        },
      ],
    },
    steps: { webapp: [-1] },
  },
  'elastalert-scale-up-service.json': {
    dialect: 'elastalert',
    rows: [{ name: 'queue long', status: 'firing', action: 'scale_up_service', service: 'worker' }],
    demands: { worker: [{ kind: 'scale', direction: 'up', step: 3, max: 12 }] },
    steps: { worker: [3] },
  },
  'elastalert-scale-down-service.json': {
    dialect: 'elastalert',
    rows: [{ name: 'queue empty', status: 'firing', action: 'scale_down_service', service: 'worker' }],
    demands: { worker: [{ kind: 'scale', direction: 'down', step: 2, min: 1 }] },
    steps: { worker: [-2] },
  },
  'elastalert-haproxy-scale-up.json': {
    dialect: 'elastalert',
    rows: [{ name: 'sessions high', status: 'firing', action: 'haproxy_scale_up', service: 'app' }],
    demands: {
      app: [
        {
          kind: 'scale',
          direction: 'up',
          step: 1,
          max: 10,
          haproxy: { host: 'lb1', port: 9999, backend: 'app', node: 'node', appPort: 8080 },
        },
      ],
    },
    steps: { app: [1] },
  },
  'elastalert-haproxy-scale-down.json': {
    dialect: 'elastalert',
    rows: [{ name: 'sessions low', status: 'firing', action: 'haproxy_scale_down', service: 'app' }],
    demands: { app: [{ kind: 'scale', direction: 'down', step: 1, min: 2 }] },
    steps: { app: [-1] },
  },
  'elastalert-log-error.json': {
    dialect: 'elastalert',
    rows: [{ name: 'web log errors', status: 'firing', action: null, service: 'webapp' }],
    steps: { webapp: [undefined] },
  },
  'elastalert-log-error-by-name.json': {
    dialect: 'elastalert',
    rows: [{ name: 'checkout errors', status: 'firing', action: null, service: null }],
    // Only the service whose policy names the rule sees it.
    steps: { 'names checkout errors': [undefined], webapp: [] },
  },
  'elastalert-search-answer.json': {
    dialect: 'elastalert',
    rows: [
      { name: 'cpu high', status: 'firing', action: 'scale_up', service: 'shop' },
      { name: 'cpu low', status: 'firing', action: 'scale_down', service: 'blog' },
    ],
    steps: { shop: [1], blog: [-1] },
  },
  'elastalert-bulk.ndjson': {
    dialect: 'elastalert',
    rows: [
      { name: 'cpu high', status: 'firing', action: 'scale_up', service: 'shop' },
      { name: 'cpu low', status: 'firing', action: 'scale_down', service: 'blog' },
    ],
    steps: { shop: [1], blog: [-1] },
  },
  'alertmanager-grouped.json': {
    dialect: 'alertmanager',
    rows: [
      { name: 'QueueLong', status: 'firing', action: null, service: 'worker' },
      { name: 'QueueLong', status: 'resolved', action: null, service: 'mailer' },
    ],
    demands: {
      worker: [
        {
          kind: 'scale',
          direction: 'up',
          step: 2,
          severity: 'warning',
          fingerprint: 'alertmanager:1a30ba71cca2921f',
          since: at('2026-03-02T09:58:00.123Z'),
          expiresAt: at(sampleTime) + 5 * 60 * minutes,
        },
      ],
    },
    steps: { worker: [2], mailer: [] },
  },
  'alertmanager-cadvisor.json': {
    dialect: 'alertmanager',
    rows: [{ name: 'ContainerMemory', status: 'firing', action: 'scale_up_node', service: 'webapp' }],
    demands: {
      webapp: [{ kind: 'node', direction: 'up', severity: 'critical', container: { name: 'webapp_3' } }],
    },
    steps: { webapp: [1] },
  },
  'alertmanager-haproxy-exporter.json': {
    dialect: 'alertmanager',
    rows: [{ name: 'BackendQueue', status: 'firing', action: 'haproxy_scale_up', service: 'app' }],
    demands: { app: [{ kind: 'scale', direction: 'up', since: at('2026-03-02T08:58:00Z') }] },
    steps: { app: [1] },
  },
  'alertmanager-by-name.json': {
    dialect: 'alertmanager',
    rows: [{ name: 'HighErrorRate', status: 'firing', action: null, service: 'webapp' }],
    steps: { webapp: [undefined] },
  },
  'generic-direction.json': {
    dialect: 'generic',
    rows: [{ name: 'up', status: 'firing', action: null, service: 'webapp' }],
    demands: { webapp: [{ kind: 'scale', direction: 'up', step: 1 }] },
    steps: { webapp: [1] },
  },
  'generic-action.json': {
    dialect: 'generic',
    rows: [{ name: 'scale_down_node', status: 'firing', action: 'scale_down_node', service: 'webapp' }],
    demands: {
      webapp: [
        {
          kind: 'node',
          direction: 'down',
          step: 2,
          min: 1,
          severity: 'warning',
          fingerprint: 'generic:nightly-1',
          container: { name: 'webapp_3', host: 'docker2' },
          since: at('2026-03-02T09:58:00Z'),
          expiresAt: at(sampleTime) + 90_000,
        },
      ],
    },
    steps: { webapp: [-2] },
  },
  'generic-rule.json': {
    dialect: 'generic',
    rows: [
      { name: 'log-errors', status: 'firing', action: null, service: 'webapp' },
      { name: 'log-errors', status: 'firing', action: null, service: null },
    ],
    steps: { webapp: [undefined], 'names log-errors': [undefined] },
  },
};
