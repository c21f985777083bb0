// Services, instances and decisions as the API gives them.
import { z } from '@hono/zod-openapi';
import { explain, headline } from '../decide/explain.ts';
import type { Acting } from '../services/acting.ts';
import type { Evaluation } from '../services/decision-log.ts';
import type { InstanceStep } from '../services/instance-step.ts';
import type { Scaling } from '../services/scaling.ts';
import { isActive, isParked, isSpare, type ServiceInstance } from '../services/service-instance.ts';
import type { ServiceState } from '../services/service-state.ts';

const time = z.iso.datetime();

export const instanceSchema = z
  .object({
    container: z.string(),
    name: z.string(),
    host: z.string(),
    state: z.string(),
    health: z.enum(['none', 'starting', 'healthy', 'unhealthy']),
    agent: z.string().nullable(),
    phase: z.string().nullable(),
    role: z.enum(['active', 'draining', 'parked', 'stopped']),
    serving: z.boolean(),
    sessions: z.int().nullable().openapi({ description: 'null: not read, since nobody waits for them' }),
    clone: z.boolean().openapi({ description: 'Made by Berth' }),
    protected: z.boolean(),
    byOperator: z
      .boolean()
      .openapi({ description: 'Drained or stopped by an operator through Berth, and left alone' }),
    startedSecondsAgo: z.number().nullable(),
  })
  .openapi('Instance');

const wordSchema = <S extends z.ZodRawShape>(shape: S) =>
  z.object({ ...shape, until: time.nullable(), by: z.string() }).nullable();

export const serviceSchema = z
  .object({
    service: z.string(),
    current: z.int().openapi({ description: 'Instances that serve or are on their way to' }),
    serving: z.int(),
    wanted: z.int().nullable().openapi({ description: 'null: Berth has no say in the number' }),
    wantedBy: z.string(),
    why: z.string(),
    policy: z.string().nullable(),
    cloneable: z.boolean().openapi({ description: 'A spec is known from which more can be made' }),
    override: wordSchema({ replicas: z.int() }),
    pause: wordSchema({ mode: z.enum(['in', 'out', 'both']) }),
    plan: z.array(z.object({ step: z.string(), instance: z.string().nullable(), reason: z.string() })),
    instances: z.array(instanceSchema),
  })
  .openapi('Service');

export const decisionSchema = z
  .object({
    service: z.string(),
    policy: z.string(),
    at: time,
    from: z.int(),
    to: z.int(),
    action: z.enum(['none', 'up', 'down']),
    reason: z.string().openapi({ description: 'A stable code' }),
    limits: z.array(z.string()),
    headline: z.string(),
    explanation: z.string(),
    record: z.unknown().openapi({ description: 'Every input and every number in between; can be replayed' }),
  })
  .openapi('Decision');

export function viewDecision({ record, at }: Evaluation): z.infer<typeof decisionSchema> {
  const { service: name, policy, outcome } = record;
  const { from, to, action, reason, limits } = outcome;
  const words = { headline: headline(record), explanation: explain(record) };
  return {
    service: name,
    policy,
    at: new Date(at).toISOString(),
    from,
    to,
    action,
    reason,
    limits: [...limits],
    ...words,
    record,
  };
}

export function viewService(
  state: ServiceState,
  acting: Acting,
  scaling: Scaling,
): z.infer<typeof serviceSchema> {
  const instances = acting.loop.instances().get(state.service) ?? [];
  const words = <T extends { until: number | null }>(word: T | null) =>
    word === null
      ? null
      : { ...word, until: word.until === null ? null : new Date(word.until).toISOString() };
  return {
    service: state.service,
    current: instances.filter(isActive).length,
    serving: instances.filter(({ serving }) => serving).length,
    wanted: state.override?.replicas ?? state.wanted,
    wantedBy: state.override?.by ?? state.wantedBy,
    why: state.override === null ? state.wantedReason : 'set by hand',
    policy: scaling.policyOf(state.service)?.policy.name ?? null,
    cloneable: state.spec !== null,
    override: words(state.override) as z.infer<typeof serviceSchema>['override'],
    pause: words(state.pause) as z.infer<typeof serviceSchema>['pause'],
    plan: viewPlan(acting.loop.plan(state.service)),
    instances: instances.map(viewInstance),
  };
}

export function viewPlan(steps: readonly InstanceStep[]): z.infer<typeof serviceSchema>['plan'] {
  return steps.map((step) => ({
    step: step.kind,
    instance: 'name' in step ? step.name : null,
    reason: step.reason,
  }));
}

export function viewInstance(instance: ServiceInstance): z.infer<typeof instanceSchema> {
  const { id, agent, phase, startAgeMs, name, host, state, health, serving, sessions, clone, byOperator } =
    instance;
  return {
    container: id,
    name,
    host,
    state,
    health,
    agent: agent ?? null,
    phase: phase ?? null,
    role: isParked(instance)
      ? 'parked'
      : isSpare(instance)
        ? 'draining'
        : isActive(instance)
          ? 'active'
          : 'stopped',
    serving,
    sessions,
    clone,
    protected: instance.protected,
    byOperator,
    startedSecondsAgo: startAgeMs === null ? null : Math.round(startAgeMs / 1000),
  };
}
