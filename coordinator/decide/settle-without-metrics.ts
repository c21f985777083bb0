// Sizes that no metric has a say in, the strongest first: one set by hand, one set by a pause, zero by hand, and the way back into the
// range in force.
import { type Plan, settled } from './plan.ts';
import { clamp, saturate } from './saturate.ts';
import type { Scene } from './scene.ts';

export function settleWithoutMetrics(scene: Scene): Plan | null {
  const { n, bounds, override, pause, isIdle, inputs } = scene;
  const { maxReplicas } = inputs.policy;
  if (override !== null)
    return settled(clamp(saturate(override), 0, maxReplicas), 'Override', { guarded: true });
  if (pause.mode === 'at')
    return settled(clamp(saturate(pause.replicas), 0, maxReplicas), 'PausedAt', { guarded: true });
  if (n === 0 && !isWakeable(scene)) return settled(n, 'DisabledByHand', { guarded: false });
  if (n > bounds.high) return settled(bounds.high, 'Bounds', { guarded: true });
  if (n > 0 && n < bounds.low && !isIdle) return settled(bounds.low, 'Bounds', { guarded: true });
  return null;
}

/** At 0 by the policy's own doing, and something can tell when to leave it; or told to be active. */
function isWakeable({ isIdle, bounds, inputs }: Scene): boolean {
  const { policy, observations } = inputs;
  if (observations.controls?.forceActive === true) return true;
  return isIdle && (bounds.low > 0 || policy.metrics.some((metric) => metric.activeAbove !== null));
}
