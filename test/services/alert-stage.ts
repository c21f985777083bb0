// The deciding half around alerts, on instances that the test gives: inbox, answers, policies made of alerts and their
// loops, and what is wanted in the end. Time is the test's; the database is real.

import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as rest } from 'node:timers/promises';
import { AlertInbox } from '../../coordinator/alerts/alert-inbox.ts';
import { Audit } from '../../coordinator/audit/audit.ts';
import type { AuditEntry } from '../../coordinator/audit/audit-entry.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import type { EffectivePolicy } from '../../coordinator/policy/resolve-policies.ts';
import { withAlerts } from '../../coordinator/policy/with-alerts.ts';
import { readActRules } from '../../coordinator/services/act-rules.ts';
import { AlertAnswers } from '../../coordinator/services/alert-answers.ts';
import { DecisionLog } from '../../coordinator/services/decision-log.ts';
import { chooseNamed, serviceOfNamed } from '../../coordinator/services/named-container.ts';
import { PolicyLoops } from '../../coordinator/services/policy-loops.ts';
import type { ServiceInstance } from '../../coordinator/services/service-instance.ts';
import { Services } from '../../coordinator/services/services.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { HandClock } from '../alerts/hand-clock.ts';
import { sampleTime } from '../alerts/samples.ts';
import { temporaryFolder } from '../coordinator/coordinator-bench.ts';
import { memoryLog } from '../coordinator/memory-log.ts';
import { instance } from './instance.ts';

const stepMs = 500;
const deadlineMs = 10_000;

export interface AlertStage {
  inbox: AlertInbox;
  services: Services;
  clock: HandClock;
  told: AuditEntry[];
  world: { instances: ServiceInstance[]; policy: EffectivePolicy | undefined; hosts: string[] };
  /** One alert of ElastAlert's form about the service. Resolves to its fingerprint. */
  post(document: Record<string, unknown>): Promise<string>;
  resolve(document: Record<string, unknown>): Promise<void>;
  wanted(): number | null | undefined;
  /** Whether a policy is in force. */
  runs(): boolean;
  /** What has become of an alert. */
  row(fingerprint: string): string;
  /** Lets time go by, half a second at a time, until `done`. */
  until(done: () => boolean, what: string): Promise<void>;
  /** So many evaluations more. */
  evaluate(times: number): Promise<void>;
  /** The id of the one that goes first. */
  victim(): string | undefined;
}

export async function alertStage(t: TestContext, options: { names?: string[] } = {}): Promise<AlertStage> {
  const folder = temporaryFolder(t, 'berth-alert-stage-');
  const store = await openStore(parseDatabaseUrl(`sqlite:${join(folder, 'berth.db')}`));
  const log = memoryLog();
  const clock = new HandClock(sampleTime);
  const audit = new Audit({
    store,
    journal: new AuditJournal(join(folder, 'audit.jsonl')),
    log,
    clock: systemClock,
  });
  await audit.open();
  const services = new Services();
  const decisions = new DecisionLog({ store, audit, log, clock });
  const told: AuditEntry[] = [];
  const named = (names: string[]) =>
    names.map((id, index) =>
      instance(id, {
        createdAt: Date.parse(sampleTime) - 1000 * (20 - index),
        startAgeMs: 1000 * (20 - index),
      }),
    );
  const world: AlertStage['world'] = {
    instances: named(options.names ?? ['web_1', 'web_2', 'web_3']),
    policy: undefined,
    hosts: ['docker'],
  };
  const containers = () =>
    world.instances.map(({ id, name, host, createdAt = 0 }) => ({
      id,
      name,
      host,
      createdAt,
      service: 'web',
      protect: false,
    }));
  const inbox = new AlertInbox({
    store,
    log,
    clock,
    record: (entry) => void told.push(entry),
    serviceOf: (container) => serviceOfNamed(chooseNamed(container, containers(), new Set(world.hosts))),
  });
  services.change('web', { wanted: world.instances.length, wantedBy: 'test', wantedReason: 'test' });
  const answers = new AlertAnswers({
    inbox,
    services,
    fleet: {
      empty: false,
      views: () => world.hosts.map((host) => ({ host, known: true })),
      instances: containers,
    },
    instances: () => world.instances,
    decisions,
    backends: {
      backendOf: (service) => service,
      serviceCalled: (name) => (name === 'web' ? name : undefined),
    },
    weightsOf: () => ({}),
    audit: (entry) => void told.push(entry),
  });
  let evaluations = 0;
  const loops = new PolicyLoops({
    policyOf: (service) =>
      withAlerts(service, world.policy, answers.bounds(service), services.get(service)?.wanted ?? 0),
    forgetMetrics: (service, state) => decisions.forgetMetrics(service, state),
    loopParts: {
      reader: { readAll: async () => ({}) },
      services,
      decisions: {
        restore: (service, policy) => decisions.restore(service, policy),
        note: (...noted) => {
          evaluations += 1;
          if (noted[2] !== undefined) told.push(noted[2]);
          decisions.note(...noted);
        },
      },
      instances: () => ({ known: true, instances: world.instances }),
      backendOf: (service) => service,
      alerts: (service) => answers.active(service),
      takeCreation: () => undefined,
      log,
      clock,
    },
  });
  const ending = new AbortController();
  t.after(async () => {
    ending.abort();
    await loops.ended();
    await decisions.save();
    await audit.close();
    await store.close();
  });
  const until = async (done: () => boolean, what: string) => {
    const last = performance.now() + deadlineMs;
    while (!done()) {
      if (performance.now() > last) throw new Error(`not within ${deadlineMs} ms: ${what}`);
      await loops.follow(new Set(['web']), ending.signal);
      answers.answer();
      clock.advance(stepMs);
      inbox.expire();
      // The loops ask the database in between.
      await rest(2);
    }
  };
  const whole = (document: Record<string, unknown>) => ({ rule_name: 'busy', service: 'web', ...document });
  return {
    inbox,
    services,
    clock,
    told,
    world,
    post: async (document) => {
      const [outcome] = await inbox.accept([whole(document)], 'elastalert');
      return outcome?.fingerprint ?? '';
    },
    resolve: async (document) => {
      await inbox.accept([whole({ ...document, alert_status: 'resolved' })], 'elastalert');
    },
    runs: () => loops.of('web') !== undefined,
    wanted: () => services.get('web')?.wanted,
    row: (fingerprint) => {
      const { state, reason } = inbox.row(fingerprint) ?? {};
      return `${state}: ${reason}`;
    },
    until,
    evaluate: async (times) => {
      const enough = evaluations + times;
      await until(() => evaluations >= enough, `${times} evaluations`);
    },
    victim: () => {
      const rules = readActRules({
        policy: undefined,
        drain: undefined,
        priority: undefined,
        labels: [],
        alerts: answers.rules('web'),
      });
      return rules.orderVictims(world.instances)[0]?.id;
    },
  };
}
