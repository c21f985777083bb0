// Why a decision came out as it did. A code is stable: it is stored, exported and shown; explain.ts puts it into words.

export type ReasonCode =
  // nothing to do
  | 'WithinTolerance'
  | 'NoProposal'
  // why the size changes
  | 'MetricsAbove'
  | 'MetricsBelow'
  | 'Bounds'
  | 'Panic'
  | 'Woken'
  | 'ToIdle'
  | 'Fallback'
  | 'Override'
  | 'PausedAt'
  // why it does not change, or not as far as the metrics ask
  | 'NotLeader'
  | 'Disabled'
  | 'Conflict'
  | 'WaitingForOwnWrite'
  | 'TargetUnreadable'
  | 'DisabledByHand'
  | 'HeldByMissingData'
  | 'AllSourcesFailed'
  | 'GuardMetric'
  | 'ActivityUnknown'
  | 'IdleSoon'
  | 'Idle'
  | 'KeptActive'
  | 'WouldNotCope'
  | 'Stabilized'
  | 'Cooldown'
  | 'RateLimit'
  | 'GrowthCap'
  | 'AtMaximum'
  | 'AtMinimum'
  | 'Rollout'
  | 'Budget'
  | 'Quota'
  | 'NoCapacity'
  | 'BackOff'
  | 'Paused'
  | 'DryRun';

/** One step that moved the size, in order. */
export type Turn = { readonly code: ReasonCode; readonly from: number; readonly to: number };
