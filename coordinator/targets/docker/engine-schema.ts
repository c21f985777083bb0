// What the Docker Engine answers, as far as Berth reads it. Everything else in an answer passes unread, except in
// `Config` and `HostConfig`: a clone needs them whole (spec.ts), also those fields that a later engine adds.
import { z } from 'zod';

const strings = z.array(z.string()).nullish();
const record = z.record(z.string(), z.string()).nullish();

export const listedSchema = z.object({
  Id: z.string(),
  Names: z.array(z.string()).nullish(),
  Image: z.string(),
  ImageID: z.string().default(''),
  /** Seconds since the epoch. */
  Created: z.number(),
  Labels: record,
  State: z.string(),
  /** For people, but the only place where a listing tells the health: `Up 3 minutes (healthy)`. */
  Status: z.string().default(''),
  NetworkSettings: z
    .object({
      Networks: z
        .record(
          z.string(),
          z.object({
            IPAddress: z.string().default(''),
            GlobalIPv6Address: z.string().default(''),
            EndpointID: z.string().default(''),
          }),
        )
        .nullish(),
    })
    .nullish(),
});
export type ListedContainer = z.infer<typeof listedSchema>;

const endpointSchema = z.looseObject({
  Aliases: strings,
  Links: strings,
  DriverOpts: record,
  NetworkID: z.string().default(''),
  IPAddress: z.string().default(''),
  GlobalIPv6Address: z.string().default(''),
});

export const inspectedSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: z.string(),
  /** The image's id; the reference by which it was made is in `Config`. */
  Image: z.string(),
  RestartCount: z.number().default(0),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number().default(0),
    OOMKilled: z.boolean().default(false),
    StartedAt: z.string().default(''),
    FinishedAt: z.string().default(''),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: z.looseObject({
    Image: z.string(),
    Hostname: z.string().default(''),
    Env: strings,
    Cmd: strings,
    Entrypoint: strings,
    Labels: record,
    Volumes: z.record(z.string(), z.unknown()).nullish(),
    ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
    StopTimeout: z.number().nullish(),
  }),
  HostConfig: z.looseObject({
    NetworkMode: z.string().default('default'),
    Binds: strings,
    Links: strings,
    Mounts: z
      .array(z.looseObject({ Type: z.string(), Source: z.string().optional(), Target: z.string() }))
      .nullish(),
    PortBindings: z
      .record(
        z.string(),
        z.array(z.object({ HostIp: z.string().optional(), HostPort: z.string().optional() })).nullish(),
      )
      .nullish(),
    Memory: z.number().nullish(),
    MemoryReservation: z.number().nullish(),
    NanoCpus: z.number().nullish(),
    CpuQuota: z.number().nullish(),
    CpuPeriod: z.number().nullish(),
  }),
  NetworkSettings: z.object({ Networks: z.record(z.string(), endpointSchema).nullish() }),
});
export type InspectedContainer = z.infer<typeof inspectedSchema>;

export const imageSchema = z.object({
  Id: z.string(),
  /** What containers of the image have unless they say otherwise. */
  Config: z.record(z.string(), z.unknown()).nullish(),
});
export type InspectedImage = z.infer<typeof imageSchema>;

export const createdSchema = z.object({ Id: z.string(), Warnings: strings });

/** Of `/info`. */
export const machineSchema = z.object({
  MemTotal: z.number(),
  NCPU: z.number(),
  /** Its clock. */
  SystemTime: z.string().optional(),
});

export const eventSchema = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: record }),
  /** Seconds since the epoch, by the engine's clock. */
  time: z.number(),
});

export const statsSchema = z.object({
  cpu_stats: z.object({
    cpu_usage: z.object({ total_usage: z.number() }),
    system_cpu_usage: z.number().optional(),
    online_cpus: z.number().optional(),
  }),
  memory_stats: z.object({
    usage: z.number().optional(),
    limit: z.number().optional(),
    stats: z.record(z.string(), z.number()).nullish(),
  }),
});
