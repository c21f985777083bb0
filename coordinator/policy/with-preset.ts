// Fills in what a policy leaves to its preset, before it is checked.
import { presets } from './presets.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `value` with the metrics and the halves of behavior of its preset where it gives none; anything odd is left for the schema to refuse. */
export function withPreset(value: unknown): unknown {
  if (!isFields(value)) return value;
  const name = value['preset'];
  if (typeof name !== 'string' || !Object.hasOwn(presets, name)) return value;
  const preset = presets[name as keyof typeof presets];
  const behavior = value['behavior'] ?? {};
  return {
    ...value,
    metrics: value['metrics'] ?? preset.metrics,
    behavior: isFields(behavior) ? { ...preset.behavior, ...behavior } : behavior,
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
