// How many instances a service without a policy should have, from its labels. Pure.
//
// `berth.availability=true`: as many as there are; one that stops, dies or is deleted comes back. Somebody who starts
// more by hand has more from then on. `berth.min` and `berth.max` bound it. The labels are those of the instances, and,
// when none is left, those of the stored spec.
import { type LabelSettings, readLabels } from '../../shared/labels.ts';
import { isActive, type ServiceInstance } from './service-instance.ts';
import type { ServiceState } from './service-state.ts';

export interface LabelWish {
  wanted: number;
  reason: string;
}

/** Whether labels say how many. `settings` are those of the instances, in no order. */
export function hasLabelWish(state: ServiceState, settings: readonly LabelSettings[]): boolean {
  return labelsInForce(state, settings).some(
    ({ availability, min, max }) => availability === true || min !== undefined || max !== undefined,
  );
}

/** Undefined: the labels do not say, or no other number than now. */
export function readLabelWish(
  state: ServiceState,
  instances: readonly ServiceInstance[],
  settings: readonly LabelSettings[],
): LabelWish | undefined {
  if (!hasLabelWish(state, settings)) return undefined;
  const labels = labelsInForce(state, settings);
  const min = first(labels, 'min');
  const max = first(labels, 'max');
  const available = labels.some(({ availability }) => availability === true);
  const active = instances.filter((instance) => isActive(instance) && !instance.byOperator);
  const before = state.wanted;
  // Fewer than before have ended and come back. More than before were started by hand, if they are not our clones.
  const byHand = active.filter(({ clone }) => !clone).length;
  const present = available ? Math.max(before ?? active.length, byHand) : active.length;
  const wanted = Math.min(max ?? Number.MAX_SAFE_INTEGER, Math.max(min ?? 0, present));
  if (wanted === before) return undefined;
  const bounds = [
    min === undefined ? '' : `at least ${min}`,
    max === undefined ? '' : `at most ${max}`,
  ].filter((text) => text !== '');
  const why = available ? [`berth.availability keeps ${present}`, ...bounds] : bounds;
  return { wanted, reason: why.join(', ') };
}

function labelsInForce(state: ServiceState, settings: readonly LabelSettings[]): readonly LabelSettings[] {
  if (settings.length > 0) return settings;
  return state.spec === null ? [] : [readLabels(state.spec.config.Labels ?? {}).settings];
}

function first<K extends keyof LabelSettings>(
  labels: readonly LabelSettings[],
  key: K,
): LabelSettings[K] | undefined {
  return labels.find((settings) => settings[key] !== undefined)?.[key];
}
