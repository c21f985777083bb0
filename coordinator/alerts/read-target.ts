// Whom an alert is about: a service, the container that raised it, a HAProxy backend. These end up in look-ups and in
// commands, so only what can be such a name is taken.
import type { ContainerRef, HaproxyRef } from './alert-signal.ts';
import { defined } from './defined.ts';
import type { FieldNames } from './field-names.ts';
import type { FieldReader } from './field-reader.ts';

export interface TargetFields {
  service?: string;
  container?: ContainerRef;
  haproxy?: HaproxyRef;
}

const safeName = /^[A-Za-z0-9_.:-]{1,128}$/;
const safeNameWords = 'a name of letters, digits and _ . : -, at most 128';
const hostName = /^[A-Za-z0-9_.:[\]-]{1,253}$/;
/** Also `/docker/ID` of cAdvisor and `docker://ID` of Kubernetes. */
const containerId = /^(?:[a-z:]*\/)*[0-9a-f]{12,64}$/i;
const containerName = /^\/?[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export function readTarget(reader: FieldReader, names: FieldNames): TargetFields {
  const service = reader.text(names.service, safeName, safeNameWords);
  const container = readContainer(reader, names);
  const haproxy = readHaproxy(reader, names);
  return defined({ service, container, haproxy });
}

function readContainer(reader: FieldReader, names: FieldNames): ContainerRef | undefined {
  const id = reader.text(names.containerId, containerId, "a container's id, 12 to 64 hexadecimal digits");
  const name = reader.text(names.containerName, containerName, "a container's name");
  if (id === undefined && name === undefined) return undefined;
  return defined({
    id: id?.slice(id.lastIndexOf('/') + 1).toLowerCase(),
    name: name?.replace('/', ''),
    host: reader.text(names.dockerHost, hostName, 'a host name'),
  });
}

function readHaproxy(reader: FieldReader, names: FieldNames): HaproxyRef | undefined {
  const ref: HaproxyRef = defined({
    host: reader.text(names.haproxyHost, hostName, 'a host name or an address'),
    port: reader.wholeNumber(names.haproxyPort, 1, 65535),
    backend: reader.text(names.backend, safeName, safeNameWords),
    node: reader.text(names.haproxyNode, safeName, safeNameWords),
    appPort: reader.wholeNumber(names.appPort, 1, 65535),
  });
  return Object.keys(ref).length === 0 ? undefined : ref;
}
