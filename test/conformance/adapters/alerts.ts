// docker-scaler, sahajsoft and sokar: steps by webhook, threshold and alert.
import {
  type AlertPool,
  activeAlerts,
  updateAlertPool,
  weightOf,
} from '../../../coordinator/decide/alerts.ts';
import { cooldownFor } from '../../../coordinator/decide/cooldown.ts';
import {
  addWeights,
  dampingOf,
  decayScore,
  leavesBand,
  planConstant,
  planLinear,
  signalOf,
  weightPerCycle,
} from '../../../coordinator/decide/proposals/alert-score.ts';
import { parseStepRequest, planStepRequest } from '../../../coordinator/decide/step-request.ts';
import type { Adapter } from '../adapter.ts';
import {
  flagOf,
  type Input,
  numberOf,
  numberOrNull,
  objectOrNull,
  objectsOf,
  secondsOf,
  secondsOrNull,
  textOf,
} from '../fields.ts';
import { answerOf, parseMetric, proposeFor } from './parsed-metric.ts';

const stepWebhook: Adapter = (input) => {
  const isUnreachable = flagOf(input, 'writeFails') || flagOf(input, 'readFails');
  if (isUnreachable || numberOrNull(input, 'currentReplicas') === null) return { error: true };
  const planned = planStepRequest(
    numberOf(input, 'currentReplicas'),
    {
      direction: textOf(input, 'direction') === 'up' ? 'up' : 'down',
      step: numberOrNull(input, 'requestedStep') || null,
    },
    {
      min: numberOrNull(input, 'labelMin'),
      max: numberOrNull(input, 'labelMax'),
      upStep: numberOrNull(input, 'labelUpStep'),
      downStep: numberOrNull(input, 'labelDownStep'),
    },
    {
      min: numberOf(input, 'defaultMin'),
      max: numberOf(input, 'defaultMax'),
      upStep: numberOf(input, 'defaultUpStep'),
      downStep: numberOf(input, 'defaultDownStep'),
    },
  );
  return { replicas: planned.count, atBound: planned.atBound };
};

const webhookValidate: Adapter = (input) => {
  const parsed = parseStepRequest({ service: input['service'], direction: input['direction'] });
  return { accepted: parsed.ok, httpStatus: parsed.ok ? 200 : 400 };
};

const stepThreshold: Adapter = (input) => {
  const target = { type: 'Step', above: input['upAbove'], below: input['downBelow'], step: input['step'] };
  const parsed = parseMetric({ name: 'm', source: { type: 'pushed', metric: 'm' }, target });
  if ('refused' in parsed) return { error: parsed.refused };
  const n = numberOf(input, 'currentReplicas');
  const bounds = { n, low: numberOf(input, 'min'), high: numberOf(input, 'max') };
  const { count } = answerOf(proposeFor(parsed.metric, numberOf(input, 'value'), bounds), n);
  return { replicas: count, write: count !== n };
};

const alertPool: Adapter = (input) => {
  const pool = objectsOf(input, 'events').reduce<AlertPool>((known, event) => {
    const name = textOf(event, 'name');
    return updateAlertPool(known, {
      fingerprint: name,
      name,
      firing: flagOf(event, 'firing'),
      at: secondsOf(event, 'atSeconds'),
    });
  }, {});
  const weights = weightsFrom(objectOrNull(input, 'weights') ?? {});
  const active = activeAlerts(pool, secondsOf(input, 'nowSeconds'), secondsOf(input, 'ttlSeconds'));
  const seen = Object.fromEntries(active.map(({ name }) => [name, weightOf(name, weights)]));
  return { active: seen, activeCount: active.length };
};

function weightsFrom(input: Input): Record<string, number> {
  return Object.fromEntries(Object.keys(input).map((name) => [name, numberOf(input, name)]));
}

const alertWeight: Adapter = (input) => ({
  weight: weightPerCycle(numberOf(input, 'weightPerSecond'), numberOf(input, 'cycleSeconds')),
});

const alertScore: Adapter = (input) => {
  const firing = objectsOf(input, 'alerts').filter((alert) => flagOf(alert, 'firing'));
  const weights = firing.map((alert) => numberOf(alert, 'weightPerSecond'));
  return addWeights(numberOf(input, 'score'), weights, numberOf(input, 'cycleSeconds'));
};

const alertDamping: Adapter = (input) => ({
  change: dampingOf(numberOf(input, 'score'), numberOf(input, 'maxStep')),
});

const alertDecay: Adapter = (input) => ({
  score: decayScore(
    numberOf(input, 'score'),
    numberOf(input, 'decayPerSecond'),
    numberOf(input, 'cycleSeconds'),
  ),
});

const alertThreshold: Adapter = (input) => ({
  act: leavesBand(numberOf(input, 'score'), numberOf(input, 'upAbove'), numberOf(input, 'downBelow')),
});

const alertGradient: Adapter = (input) => ({
  signal: signalOf(
    numberOf(input, 'score'),
    { score: numberOf(input, 'previousScore'), elapsedSeconds: numberOf(input, 'elapsedSeconds') },
    { upAbove: numberOf(input, 'upAbove'), downBelow: numberOf(input, 'downBelow') },
  ),
});

const constantPlan: Adapter = (input) => ({
  replicas: planConstant(
    numberOf(input, 'signal'),
    numberOf(input, 'currentReplicas'),
    numberOf(input, 'step'),
  ),
});

const linearPlan: Adapter = (input) => ({
  replicas: planLinear(
    numberOf(input, 'signal'),
    numberOf(input, 'currentReplicas'),
    numberOf(input, 'weight'),
  ),
});

const cooldownByDirection: Adapter = (input) => {
  const ageMs = secondsOrNull(input, 'lastScaleAgeSeconds');
  const remaining = cooldownFor(
    flagOf(input, 'wantDown') ? 'down' : 'up',
    { upMs: secondsOf(input, 'upCooldownSeconds'), downMs: secondsOf(input, 'downCooldownSeconds') },
    { upAgeMs: ageMs, downAgeMs: ageMs },
  );
  return { cooling: remaining > 0, remainingSeconds: remaining / 1000 };
};

export const alerts: Readonly<Record<string, Adapter>> = {
  step_webhook: stepWebhook,
  webhook_validate: webhookValidate,
  step_threshold: stepThreshold,
  alert_pool: alertPool,
  alert_weight: alertWeight,
  alert_score: alertScore,
  alert_damping: alertDamping,
  alert_decay: alertDecay,
  alert_threshold: alertThreshold,
  alert_gradient: alertGradient,
  plan_constant: constantPlan,
  plan_linear: linearPlan,
  cooldown_by_direction: cooldownByDirection,
};
