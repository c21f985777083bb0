// The request that makes a container from a spec, and why none should be made. Pure.
import { labels as berthLabels, composeLabels, type Labels } from '../../../shared/labels.ts';
import type { ContainerSpec } from './spec.ts';

/**
 * What becomes of ports that are published at a fixed port of the host: two containers of one host can't have them.
 * `keep` is for the same container again, or for another host.
 */
export type FixedPorts = 'keep' | 'random' | 'refuse';

export interface CreateChoices {
  readonly image: string;
  readonly fixedPorts: FixedPorts;
  /** Set, or taken away where undefined. */
  readonly labels: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface CreateRequest {
  readonly body: object;
  /** Networks to connect to after it was made: engines before 25 take only one in the request. */
  readonly further: readonly { readonly network: string; readonly config: object }[];
}

export function formatCreate(spec: ContainerSpec, choices: CreateChoices): CreateRequest {
  const [first, ...rest] = spec.networks.map((network) => ({
    network: network.name,
    config: formatEndpoint(network),
  }));
  const bindings = Object.entries(spec.hostConfig.PortBindings ?? {});
  return {
    body: {
      ...spec.config,
      Image: choices.image,
      Labels: withChanges(spec.config.Labels ?? {}, choices.labels),
      Env: changedEnvironment(spec.config.Env ?? [], choices.environment),
      HostConfig: {
        ...spec.hostConfig,
        // Berth deletes what it made itself, and must see how it ended: what Docker has deleted tells nothing.
        AutoRemove: false,
        PortBindings: Object.fromEntries(
          bindings.map(([port, hosts]) => [
            port,
            choices.fixedPorts === 'keep' ? hosts : hosts?.map(withRandomPort),
          ]),
        ),
      },
      // The built-in networks take no settings.
      ...(first === undefined || isBuiltIn(first.network)
        ? {}
        : { NetworkingConfig: { EndpointsConfig: { [first.network]: first.config } } }),
    },
    further: rest,
  };
}

/** What is empty is left out: the engine tells "none" from "an empty list". */
function formatEndpoint({ aliases, links, driverOptions }: ContainerSpec['networks'][number]): object {
  return {
    ...(aliases.length > 0 ? { Aliases: aliases } : {}),
    ...(links.length > 0 ? { Links: links } : {}),
    ...(Object.keys(driverOptions).length > 0 ? { DriverOpts: driverOptions } : {}),
  };
}

/** Why a second container of this spec can't run beside the first, one reason each; none when it can. */
export function findObstacles(spec: ContainerSpec, fixedPorts: FixedPorts): string[] {
  const { NetworkMode: mode, PortBindings: bindings } = spec.hostConfig;
  const reasons: string[] = [];
  if (spec.config.Labels?.['com.docker.swarm.service.id'] !== undefined)
    reasons.push('it is a task of a Swarm service, which Swarm itself must scale');
  if (mode === 'host')
    reasons.push("it uses the host's network, where a second one would need the same ports");
  if (mode.startsWith('container:'))
    reasons.push('it shares the network of another container, and so its ports');
  if (fixedPorts !== 'refuse') return reasons;
  for (const [port, hosts] of Object.entries(bindings ?? {})) {
    const fixed = hosts?.find(({ HostPort }) => isFixed(HostPort));
    if (fixed !== undefined)
      reasons.push(`its port ${port} is published at the fixed port ${fixed.HostPort} of the host`);
  }
  return reasons;
}

export interface ServiceLabels {
  readonly service: string;
  /** For another instance, undefined for the same container again. */
  readonly number: number | undefined;
  /** Made for the warm pool. */
  readonly isWarm: boolean;
  /** The reference, when the container is made by the image's id. */
  readonly reference: string | undefined;
}

/** The labels in which the new container differs. */
export function chooseLabels(
  own: Labels,
  { service, number, isWarm, reference }: ServiceLabels,
): CreateChoices['labels'] {
  const isClone = number !== undefined;
  return {
    // So that it counts for its service from its first moment, before its agent has said a word.
    [berthLabels.service]: service,
    [berthLabels.parked]: isWarm ? 'true' : undefined,
    [berthLabels.image]: reference,
    // Of the one that was cloned, not of its clone.
    [berthLabels.clonedFor]: undefined,
    ...(isClone ? { [berthLabels.protect]: undefined } : {}),
    ...(isClone && own[composeLabels.project] !== undefined
      ? { [composeLabels.number]: String(number) }
      : {}),
  };
}

const isBuiltIn = (network: string) => ['default', 'bridge', 'host', 'none'].includes(network);

const isFixed = (port: string | undefined) => /^[1-9]\d*$/.test(port ?? '');

/** A range stays: each container takes the next free port of it. */
function withRandomPort<T extends { HostPort?: string | undefined }>(binding: T): T {
  return isFixed(binding.HostPort) ? { ...binding, HostPort: '' } : binding;
}

function withChanges(own: Labels, changes: CreateChoices['labels']): Record<string, string> {
  const entries = Object.entries({ ...own, ...changes });
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

function changedEnvironment(own: readonly string[], changes: CreateChoices['environment']): string[] {
  const isKept = (entry: string) => !Object.hasOwn(changes, entry.slice(0, entry.indexOf('=')));
  const set = Object.entries(changes).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${value}`],
  );
  return [...own.filter(isKept), ...set];
}
