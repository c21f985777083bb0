// One instance of a service as the plan sees it: Docker's word, the agent's and HAProxy's, joined.
import type { Phase } from '../../shared/protocol.ts';

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead';

export interface ServiceInstance {
  /** Container id. */
  id: string;
  name: string;
  /** Docker host that it runs on. */
  host: string;
  state: ContainerState;
  health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  /** The agent's id, and its phase as last heard; undefined for a container without one. */
  agent: string | undefined;
  phase: Phase | undefined;
  /** Takes traffic: ready in every HAProxy that answers, and not found down by its checks. */
  serving: boolean;
  /** Has a slot in every HAProxy that it is meant for, in traffic or not. */
  registered: boolean;
  /** Sessions and queued requests in all HAProxys; null when they could not be read. */
  sessions: number | null;
  /** Milliseconds since this coordinator first saw it. */
  seenAgeMs: number;
  /** Wall milliseconds, by our clock. */
  createdAt?: number;
  /** It has ended since the kernel killed it for memory. */
  outOfMemory: boolean;
  /** Milliseconds since it was started; null when it never was. */
  startAgeMs: number | null;
  /** Milliseconds for which it has been serving without a break; 0 while it does not. */
  servingMs: number;
  /**
   * Milliseconds for which it has not been serving although it runs, or Docker starts it again and again; 0 while it
   * serves.
   */
  notServingMs: number;
  /** Milliseconds since it was told to drain; null when it was not. */
  drainAgeMs: number | null;
  /** Never stopped or removed by Berth (`berth.protect`). */
  protected: boolean;
  /** Made for the warm pool, and never in traffic so far. */
  madeSpare: boolean;
  /** Made by Berth: removed when it is stopped. Others are stopped and kept. */
  clone: boolean;
  /** Made by people, deleted, and made again by Berth: it counts as theirs. */
  remade?: boolean;
  /** The firing of an alert that it was cloned for. */
  clonedFor?: string | undefined;
  /** An operator has drained or stopped it through Berth; it is left alone. */
  byOperator: boolean;
}

/** Out of traffic at our word, or about to be: spare, running or paused, to be used again first. */
export const isSpare = (instance: ServiceInstance): boolean =>
  (instance.phase === 'draining' || instance.madeSpare) &&
  (instance.state === 'running' || instance.state === 'paused');

/** Parked: a spare that was paused. A container that somebody else paused was last heard of in another phase. */
export const isParked = (instance: ServiceInstance): boolean =>
  isSpare(instance) && instance.state === 'paused';

/** Serves or is on its way to. */
export const isActive = (instance: ServiceInstance): boolean =>
  !isSpare(instance) &&
  (instance.state === 'running' || instance.state === 'restarting' || instance.state === 'paused');

/** Has run and does not any more. */
export const isStopped = (instance: ServiceInstance): boolean =>
  instance.state === 'exited' || instance.state === 'created';

/** One whose coordinator died while it made it: it may lack some of its networks. */
export const isHalfMade = ({ clone, remade = false, state }: ServiceInstance): boolean =>
  (clone || remade) && state === 'created';

/** A container that was just created is about to be started by the one who created it; what we make is busy till then. */
const createdGraceMs = { byUs: 3000, byOthers: 10_000 };

/** Stopped, or created and then forgotten by a coordinator that died. */
export function isLeft(instance: ServiceInstance): boolean {
  const graceMs = isHalfMade(instance) ? createdGraceMs.byUs : createdGraceMs.byOthers;
  return isStopped(instance) && !(instance.state === 'created' && instance.seenAgeMs < graceMs);
}

/** Out of traffic because it is sick: not put back. */
export const isSickSpare = (instance: ServiceInstance): boolean =>
  isSpare(instance) && instance.state === 'running' && instance.health === 'unhealthy';

/** The grace that an instance has to serve, after its start and whenever it stops serving. */
export const unhealthyAfterMs = 30_000;

/** Runs or is restarted by Docker, should serve, and has not for longer than `graceMs`. */
export function isUnhealthy(instance: ServiceInstance, graceMs: number): boolean {
  if (!isActive(instance) || instance.state === 'paused') return false;
  return instance.health === 'unhealthy' || instance.notServingMs > graceMs;
}

/** Why one is unhealthy, for the audit. */
export function describeIllness({ health, notServingMs }: ServiceInstance): string {
  if (health === 'unhealthy') return 'its health check in Docker says unhealthy';
  return `it is unhealthy: it has not served for ${Math.round(notServingMs / 1000)} s`;
}
