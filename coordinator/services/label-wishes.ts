// How many instances a service without a policy should have, from its labels. Pure.
//
// `berth.availability=true`: as many as there are; one that stops, dies or is deleted comes back. Somebody who starts
// more by hand has more from then on. `berth.min` and `berth.max` bound it; by themselves they follow what is there, until
// an alert asks to look after the service (`service_availability`): then it is as with the label, and what has ended
// within the last hour comes back as well. The labels are those of the instances, and, when none is left, those of the
// stored spec.
import { type LabelSettings, readLabels } from '../../shared/labels.ts';
import type { AuditEntry } from '../audit/audit-entry.ts';
import { isActive, type ServiceInstance } from './service-instance.ts';
import type { ServiceState } from './service-state.ts';

export interface LabelWish {
  wanted: number;
  reason: string;
  /** Instances have ended, and fewer are wanted for that. */
  isLoss: boolean;
}

/** An alert follows a loss within minutes. */
const lossKnownMs = 3_600_000;

/** Whether labels say how many. `settings` are those of the instances, in no order. */
export function hasLabelWish(state: ServiceState, settings: readonly LabelSettings[]): boolean {
  return labelsInForce(state, settings).some(
    ({ availability, min, max }) => availability === true || min !== undefined || max !== undefined,
  );
}

/** Undefined: the labels do not say, or no other number than now. `lookedAfter`: an alert asks for it. */
export function readLabelWish(
  state: ServiceState,
  instances: readonly ServiceInstance[],
  settings: readonly LabelSettings[],
  lookedAfter = false,
): LabelWish | undefined {
  if (!hasLabelWish(state, settings)) return undefined;
  const labels = labelsInForce(state, settings);
  const min = first(labels, 'min');
  const max = first(labels, 'max');
  const isLabelled = labels.some(({ availability }) => availability === true);
  const available = isLabelled || lookedAfter;
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
  const keeper = isLabelled ? 'berth.availability' : 'service_availability';
  const why = available ? [`${keeper} keeps ${present}`, ...bounds] : bounds;
  const isLoss = !available && before !== null && active.length < before && wanted < before;
  return { wanted, reason: why.join(', '), isLoss };
}

/** What a wish changes of the service at `wall`. */
export function applyLabelWish(
  { wanted: before, beforeLoss }: ServiceState,
  { wanted, reason, isLoss }: LabelWish,
  wall: number,
): Partial<ServiceState> {
  const most = Math.max(before ?? 0, beforeLoss?.wanted ?? 0);
  const lost = isLoss ? { wanted: most, until: wall + lossKnownMs } : beforeLoss;
  return {
    wanted,
    wantedBy: byLabels,
    wantedReason: reason,
    wantedAlert: null,
    wantedFirings: [],
    beforeLoss: lost !== null && lost.wanted > wanted ? lost : null,
  };
}

/** The row of the audit for a wish. */
export function labelEntry({ service, wanted: before }: ServiceState, wish: LabelWish): AuditEntry {
  return {
    event: 'scale.decided',
    actor: byLabels,
    service,
    from: before ?? undefined,
    to: wish.wanted,
    reason: wish.reason,
    outcome: 'ok',
  };
}

/** Who has set the number. */
export const byLabels = 'labels';

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
