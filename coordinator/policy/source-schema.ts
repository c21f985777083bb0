// Where a metric's numbers come from: one strict object per source, told apart by `type`. The parsed type of each is what the
// source's code is configured with. Durations are milliseconds after parsing. Secrets are given by file only, so that a
// policy can be shown, stored and logged as it is.
import { z } from 'zod';
import { duration } from './duration-schema.ts';
import { cpuAmount, memoryAmount } from './quantity-schema.ts';

const timeout = duration({ atLeast: 10, atMost: 60_000 })
  .optional()
  .describe('Deadline of one read (the smaller of 5s and half of the interval)');

const auth = z
  .strictObject({
    bearerFile: z.string().min(1).optional().describe('File that holds a bearer token'),
    username: z.string().min(1).optional().describe('User name for basic authentication'),
    passwordFile: z.string().min(1).optional().describe('File that holds the password'),
  })
  .refine((given) => (given.bearerFile === undefined) !== (given.username === undefined), {
    message: 'give either bearerFile, or username and passwordFile',
  })
  .refine((given) => given.passwordFile === undefined || given.username !== undefined, {
    message: 'passwordFile needs a username',
  })
  .optional()
  .describe('Credentials: either bearerFile, or username and passwordFile');

const tls = z
  .strictObject({
    ca: z
      .string()
      .min(1)
      .optional()
      .describe('File with the certificates to trust instead of the system ones (PEM)'),
    cert: z.string().min(1).optional().describe('File with the client certificate (PEM)'),
    key: z.string().min(1).optional().describe('File with the key of the client certificate (PEM)'),
  })
  .refine((given) => (given.cert === undefined) === (given.key === undefined), {
    message: 'cert and key belong together',
  })
  .optional()
  .describe('TLS: own certificate authority and client certificate');

/** A policy is shown, stored and logged as it is, so no URL in it may hold a user or a password. */
const urlOf = (protocol: RegExp) =>
  z
    .url({ protocol })
    .refine((text) => !URL.canParse(text) || new URL(text).username + new URL(text).password === '', {
      message: 'holds credentials: give them in auth',
    });

const httpUrl = urlOf(/^https?$/);

const haproxy = z
  .strictObject({
    type: z.literal('haproxy'),
    what: z
      .enum(['sessions', 'requestRate', 'queue', 'responseTime', 'errorRate'])
      .describe(
        'sessions: sessions at the servers and in the queue; requestRate: requests a second; queue: requests waiting; ' +
          'responseTime: milliseconds; errorRate: share of answers that are 5xx or failed, 0 to 1',
      ),
    backend: z.string().min(1).optional().describe("HAProxy backend (the service's own)"),
    window: duration({ atLeast: 250, atMost: 600_000 })
      .prefault('10s')
      .describe('Time over which rates and times are measured'),
    minRequests: z
      .int()
      .min(1)
      .default(20)
      .describe('Requests needed within the window before responseTime or errorRate mean something'),
    timeout,
  })
  .describe("HAProxy's own counters, summed over all proxies and processes");

const agent = z
  .strictObject({
    type: z.literal('agent'),
    metric: z.string().min(1).describe('Name of the number that the app reports through its agent'),
  })
  .describe('A number that each app reports in the heartbeat of its agent');

const docker = z
  .discriminatedUnion('what', [
    z.strictObject({
      type: z.literal('docker'),
      what: z.literal('cpu').describe('CPU in use'),
      request: cpuAmount
        .optional()
        .describe(
          'What 100 % means, in cores or as `500m` (the limit of the container; without one this is required)',
        ),
      timeout,
    }),
    z.strictObject({
      type: z.literal('docker'),
      what: z.literal('memory').describe('Memory in use, without the page cache'),
      request: memoryAmount
        .optional()
        .describe(
          'What 100 % means, in bytes or as `256Mi` (the limit of the container; without one this is required)',
        ),
      timeout,
    }),
  ])
  .describe('CPU or memory of each container, from Docker');

const prometheus = z
  .strictObject({
    type: z.literal('prometheus'),
    url: httpUrl.describe('Base URL of Prometheus'),
    query: z.string().min(1).describe('PromQL that gives one number, or one for each instance'),
    instanceLabel: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Label that names the instance (container id, name, or address:port), for values per instance',
      ),
    headers: z.record(z.string(), z.string()).optional().describe('Further request headers'),
    auth,
    tls,
    timeout,
  })
  .describe('An instant query to Prometheus');

const elasticsearch = z
  .strictObject({
    type: z.literal('elasticsearch'),
    url: httpUrl.describe('Base URL of Elasticsearch'),
    index: z.string().min(1).describe('Index, pattern or data stream'),
    query: z.record(z.string(), z.unknown()).optional().describe('Query DSL (all documents)'),
    aggregation: z
      .record(z.string(), z.unknown())
      .optional()
      .describe(
        'One single-value aggregation, e.g. {"avg": {"field": "took"}}; without it documents are counted',
      ),
    auth,
    tls,
    timeout,
  })
  .describe('A count of documents, or one aggregation, from Elasticsearch');

const rabbitmq = z
  .strictObject({
    type: z.literal('rabbitmq'),
    url: httpUrl.describe('Base URL of the management API'),
    vhost: z.string().min(1).default('/').describe('Virtual host'),
    queue: z.string().min(1).describe('Queue name'),
    what: z
      .enum(['messages', 'ready', 'unacknowledged', 'publishRate', 'ackRate'])
      .default('messages')
      .describe('messages: ready and unacknowledged together; rates are per second'),
    auth,
    tls,
    timeout,
  })
  .describe('A queue of RabbitMQ, from its management API');

const activemq = z
  .strictObject({
    type: z.literal('activemq'),
    url: httpUrl.describe('URL of Jolokia, e.g. http://broker:8161/api/jolokia'),
    broker: z.string().min(1).default('localhost').describe('Broker name'),
    queue: z.string().min(1).describe('Queue name'),
    what: z
      .enum(['messages', 'inFlight', 'enqueueRate', 'dequeueRate'])
      .default('messages')
      .describe('messages: the queue size; rates are per second'),
    auth,
    tls,
    timeout,
  })
  .describe('A queue of ActiveMQ, from Jolokia');

const redis = z
  .strictObject({
    type: z.literal('redis'),
    url: urlOf(/^rediss?$/).describe('redis://host:port/db, or rediss:// for TLS'),
    key: z.string().min(1).describe('Key of the list or stream'),
    what: z
      .enum(['list', 'stream', 'pending', 'lag'])
      .default('list')
      .describe('list: its length; stream: its length; pending, lag: of a consumer group of the stream'),
    group: z.string().min(1).optional().describe('Consumer group, for pending and lag'),
    auth,
    tls,
    timeout,
  })
  .refine((given) => given.group !== undefined || (given.what !== 'pending' && given.what !== 'lag'), {
    message: 'pending and lag need a group',
    path: ['group'],
  })
  .describe('A list or stream of Redis');

const sql = z
  .strictObject({
    type: z.literal('sql'),
    url: urlOf(/^(mysql|postgres|postgresql|sqlite)$/).describe(
      'mysql://host/db, postgres://host/db or sqlite:/path; no password in it',
    ),
    query: z.string().min(1).describe('A SELECT that gives one row with one number'),
    auth,
    tls,
    timeout,
  })
  .describe('One number from a SQL database');

const http = z
  .strictObject({
    type: z.literal('http'),
    url: httpUrl.describe('URL that answers JSON'),
    method: z.enum(['GET', 'POST']).default('GET').describe('Request method'),
    headers: z.record(z.string(), z.string()).optional().describe('Further request headers'),
    body: z.unknown().optional().describe('JSON body of a POST'),
    value: z
      .string()
      .default('')
      .describe('Where the number is: a path such as `data.queues[0].length` (empty: the whole answer)'),
    auth,
    tls,
    timeout,
  })
  .describe('A number in any JSON document over HTTP');

const pushed = z
  .strictObject({
    type: z.literal('pushed'),
    metric: z.string().min(1).describe('Name under which it is posted to /api/v1/metrics'),
    labels: z
      .record(z.string(), z.string())
      .optional()
      .describe('Labels that the posted value must carry, for documents with several'),
  })
  .describe('A value that something else posts to /api/v1/metrics');

export const sourceSchema = z
  .discriminatedUnion('type', [
    haproxy,
    agent,
    docker,
    prometheus,
    elasticsearch,
    rabbitmq,
    activemq,
    redis,
    sql,
    http,
    pushed,
  ])
  .describe('Where the numbers come from');

export type SourceConfig = z.output<typeof sourceSchema>;
export type SourceType = SourceConfig['type'];
/** The configuration of one source, e.g. `SourceOf<'redis'>`. */
export type SourceOf<T extends SourceType> = Extract<SourceConfig, { type: T }>;
export type SourceAuth = z.output<typeof auth>;
export type SourceTls = z.output<typeof tls>;
