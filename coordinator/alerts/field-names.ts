// The names under which alerts carry what Berth reads, with both spellings of each (REQUIREMENTS 2, 49). Names that
// begin with `berth` win, since nobody else uses them; Prometheus allows no dots, so each has a spelling with `_`.
// Docker labels that Metricbeat and cAdvisor pass on have their dots replaced too.
import type { Spellings } from './field-reader.ts';

export const fieldNames = {
  action: [['berth.action', 'berth_action'], ['autoscale_action'], ['action']],
  direction: [['berth.direction', 'berth_direction']],
  severity: [['berth.severity', 'berth_severity'], ['severity']],
  step: [['berth.step', 'berth_step'], ['autoscale_step']],
  min: [['autoscale_min_instance', 'autoscale_min_instances']],
  max: [['autoscale_max_instance', 'autoscale_max_instances']],
  policy: [
    ['berth.policy', 'berth_policy'],
    ['policy_name', 'container_policy_name'],
  ],
  naming: [['naming_convention', 'container_naming_convention']],
  expiresIn: [['berth.expires_in', 'berth_expires_in']],
  status: [['berth.status', 'berth_status']],
  service: [['berth.service', 'berth_service'], ['container_service_name'], ['service_name'], ['service']],
  containerId: [
    ['berth.container_id', 'berth_container_id'],
    ['docker.container.id', 'container.id'],
    ['container_id'],
  ],
  containerName: [
    ['berth.container', 'berth_container'],
    ['docker.container.name', 'container.name'],
    ['container_name'],
    ['container'],
  ],
  dockerHost: [
    ['berth.host', 'berth_host'],
    ['docker_host'],
    ['host.name'],
    ['host.hostname'],
    ['agent.hostname'],
  ],
  haproxyHost: [['haproxy_host']],
  haproxyPort: [['haproxy_port']],
  backend: [
    ['berth.backend', 'berth_backend'],
    ['container_haproxy_backend'],
    ['haproxy_backend'],
    ['backend'],
  ],
  haproxyNode: [['container_haproxy_node']],
  appPort: [['berth.port', 'berth_port'], ['container_haproxy_backend_app_port']],
} as const satisfies Record<string, Spellings>;

export type FieldNames = Record<keyof typeof fieldNames, Spellings>;
