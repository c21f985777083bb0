// Carries out one instance step.
import type { Clock } from '../../shared/clock.ts';
import { BerthError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { AgentRegistry } from '../agents/registry.ts';
import type { DockerClient } from '../targets/docker/client.ts';
import { isGoneAlready, isNotModified } from '../targets/docker/docker-error.ts';
import { type ContainerSpec, readSpec } from '../targets/docker/spec.ts';
import type { Coming } from './creations.ts';
import type { Fleet } from './fleet.ts';
import type { FleetAgents } from './fleet-agents.ts';
import type { InstanceStep, StepModel } from './instance-step.ts';
import { makeInstance } from './make-instance.ts';
import type { ServiceInstance } from './service-instance.ts';
import type { ServiceState } from './service-state.ts';
import type { Services } from './services.ts';

/** Between two effects of a step; a test ends the process there. */
export type Boundary = (moment: `${InstanceStep['kind']}.${'before' | 'between' | 'after'}`) => void;

export interface ExecutorParts {
  fleet: Fleet;
  agents: FleetAgents;
  registry: Pick<AgentRegistry, 'setParked'>;
  log: Log;
  clock: Clock;
  boundary: Boundary;
  /** Where spares are noted; the act loop tells their agents as they come up. */
  services: Pick<Services, 'setSpare'>;
  /** Writes down what `services` know. */
  save: () => Promise<void>;
}

/** What a step was done on, for the audit. */
export interface Done {
  container: string;
  name: string;
  host: string;
}

type On<K extends InstanceStep['kind']> = Extract<InstanceStep, { kind: K }>;

export class InstanceExecutor {
  readonly #parts: ExecutorParts;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  /**
   * `target`: the instance that the step is on, or the place of the one that is to be made.
   * @throws BerthError `docker.…` when the engine refused or did not answer; what was half done is found and finished
   *   by the next plan
   */
  async run(
    step: Exclude<InstanceStep, { kind: 'hold' }>,
    state: ServiceState,
    target: { instance: ServiceInstance | undefined; coming: Coming | undefined },
    signal: AbortSignal,
  ): Promise<Done> {
    const { boundary } = this.#parts;
    boundary(`${step.kind}.before`);
    const done =
      step.kind === 'create'
        ? await this.#create(step, state, target.coming, signal)
        : await this.#change(step, state.service, required(target.instance), signal);
    boundary(`${step.kind}.after`);
    return done;
  }

  async #change(
    step: Exclude<InstanceStep, { kind: 'hold' | 'create' }>,
    service: string,
    instance: ServiceInstance,
    signal: AbortSignal,
  ): Promise<Done> {
    const client = this.#client(instance.host);
    switch (step.kind) {
      case 'drain':
        await this.#tell(instance, true, step.reason, signal);
        break;
      case 'undrain':
        this.#parts.services.setSpare(service, instance.id, false);
        await this.#tell(instance, false, step.reason, signal);
        break;
      case 'start':
        await client.start(instance.id, signal).catch(unless(isNotModified));
        break;
      case 'park':
        this.#parked(instance, true);
        // Paused it cannot tell a coordinator that comes later what it is.
        this.#parts.services.setSpare(service, instance.id, true);
        await this.#parts.save();
        await client.pause(instance.id, signal);
        break;
      case 'unpark':
        await client.unpause(instance.id, signal);
        this.#parts.boundary('unpark.between');
        this.#parked(instance, false);
        this.#parts.services.setSpare(service, instance.id, false);
        // One whose agent this coordinator has never heard of says itself that it drains, and is put back then.
        if (instance.agent !== undefined) await this.#tell(instance, false, step.reason, signal);
        break;
      case 'stop':
        await this.#stop(client, instance, step, signal);
        break;
      case 'remove':
        await client.remove(instance.id, {}, signal).catch(unless(isGoneAlready));
        break;
      default:
        step satisfies never;
    }
    return { container: instance.id, name: instance.name, host: instance.host };
  }

  async #stop(
    client: DockerClient,
    instance: ServiceInstance,
    step: On<'stop'>,
    signal: AbortSignal,
  ): Promise<void> {
    // A paused container can't act on its stop signal.
    if (instance.state === 'paused') await client.unpause(instance.id, signal);
    const grace = this.#parts.fleet.instance(instance.id)?.stopSeconds ?? 10;
    await client
      .stop(instance.id, grace, signal)
      .catch(unless((error) => isNotModified(error) || isGoneAlready(error)));
    this.#parts.boundary('stop.between');
    this.#parked(instance, false);
    // Whoever starts it again wants it in traffic.
    if (instance.agent !== undefined) this.#parts.agents.drain(instance.agent, false, 'it was stopped');
    if (step.remove) await client.remove(instance.id, {}, signal).catch(unless(isGoneAlready));
  }

  async #create(
    step: On<'create'>,
    { service, spec }: ServiceState,
    coming: Coming | undefined,
    signal: AbortSignal,
  ): Promise<Done> {
    const { log, services, boundary } = this.#parts;
    const { model, naming } = step;
    const like = model === undefined ? spec : await this.#specOf(model, signal);
    if (like === null)
      throw new BerthError('docker.not-cloneable', `there is no spec of ${service}`, {
        hint: 'run one instance of it by hand',
      });
    if (coming === undefined)
      throw new BerthError('docker.unavailable', 'no Docker host answers and has room for it');
    const client = this.#client(coming.host);
    const made = await makeInstance(client, like, {
      service,
      original: coming.original,
      isWarm: step.spare,
      convention: naming,
      clonedFor: model?.firing,
      created: (id) => {
        coming.id = id;
      },
      made: (id) => {
        boundary('create.between');
        if (step.spare) services.setSpare(service, id, true);
      },
      log,
      signal,
    });
    return { container: made.id, name: made.name, host: coming.host };
  }

  /** What the very container that is to be cloned is like now. */
  async #specOf({ id, host }: StepModel, signal: AbortSignal): Promise<ContainerSpec> {
    const client = this.#client(host);
    const inspected = await client.inspect(id, signal);
    return readSpec(inspected, await client.image(inspected.Image, signal));
  }

  async #tell(instance: ServiceInstance, drain: boolean, reason: string, signal: AbortSignal): Promise<void> {
    if (instance.agent === undefined)
      throw new BerthError('docker.failed', `${instance.name} has no agent that could leave traffic`);
    await this.#parts.agents.drainAndSee(instance.agent, drain, reason, signal);
  }

  #parked(instance: ServiceInstance, parked: boolean): void {
    if (instance.agent !== undefined) this.#parts.registry.setParked(instance.agent, parked);
  }

  #client(host: string): DockerClient {
    const client = this.#parts.fleet.client(host);
    if (client === undefined)
      throw new BerthError('docker.unavailable', `there is no Docker host ${host} in the configuration`);
    return client;
  }
}

function required(instance: ServiceInstance | undefined): ServiceInstance {
  if (instance === undefined) throw new BerthError('not-found', 'the instance is gone');
  return instance;
}

/** Passes over an error that means "it is so already". */
function unless(isFine: (error: unknown) => boolean): (error: unknown) => undefined {
  return (error) => {
    if (!isFine(error)) throw error;
  };
}
