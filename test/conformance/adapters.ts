// One adapter for each kind of record.
import type { Adapter } from './adapter.ts';
import { alerts } from './adapters/alerts.ts';
import { arithmetic } from './adapters/arithmetic.ts';
import { calendars } from './adapters/calendars.ts';
import { fly } from './adapters/fly.ts';
import { keda } from './adapters/keda.ts';
import { knative } from './adapters/knative.ts';
import { limits } from './adapters/limits.ts';
import { nomad } from './adapters/nomad.ts';
import { reconcile } from './adapters/reconcile.ts';

export const adapters: Readonly<Record<string, Adapter>> = {
  ...arithmetic,
  ...limits,
  reconcile,
  ...knative,
  ...nomad,
  ...calendars,
  ...keda,
  ...fly,
  ...alerts,
};
