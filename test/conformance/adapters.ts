// One adapter for each kind of record.
import type { Adapter } from './adapter.ts';
import { arithmetic } from './adapters/arithmetic.ts';
import { limits } from './adapters/limits.ts';
import { reconcile } from './adapters/reconcile.ts';

export const adapters: Readonly<Record<string, Adapter>> = { ...arithmetic, ...limits, reconcile };
