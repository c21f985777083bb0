// Planning for servers that agents add: made again as they were, deleted when given back, and for all else as slots.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSlots } from '../../coordinator/slots/find-slots.ts';
import { planSlots } from '../../coordinator/slots/plan-slots.ts';
import type { SlotStep } from '../../coordinator/slots/step.ts';
import type { ServerRow } from '../../shared/haproxy/servers-state.ts';
import type { RegistrationReport } from '../../shared/protocol.ts';
import { type AgentOptions, agentAt, silentFor, worldOf } from '../slots/world.ts';

const parameters = 'check inter 5s';

function serverOf(name: string, more: Partial<ServerRow> = {}): ServerRow {
  const [address = '', port = ''] = name.replace(/^.*-/, '').split(':');
  return {
    backend: 'app',
    name,
    backendId: 3,
    serverId: 1,
    address,
    port: Number(port),
    operationalState: 2,
    adminState: 4,
    checkResult: 3,
    checkState: 6,
    templated: false,
    secondsSinceChange: 100,
    ...more,
  };
}

const dynamicAgent = (address: string, more: AgentOptions & { state?: RegistrationReport['state'] } = {}) => {
  const { state = 'ready', ...options } = more;
  const registration = { dynamic: parameters, state, ...options.registration };
  return agentAt(address, `node-${address}:80`, { ...options, registration });
};

const dynamic = [{ backend: 'app', dynamic: true } as const];

const shown = (steps: readonly SlotStep[]) =>
  steps.map((step) =>
    [
      step.kind,
      `${step.slot.backend}/${step.slot.name}`,
      ...('app' in step ? [`${step.app.address}:${step.app.port}`] : []),
      ...('state' in step ? [step.state] : []),
      ...('parameters' in step ? [`"${step.parameters}"`] : []),
    ].join(' '),
  );

const plan = (rows: readonly ServerRow[], agents: readonly ReturnType<typeof agentAt>[], more = {}) =>
  shown(planSlots(worldOf({ rows, agents, templates: dynamic, ...more })));

test('which slots are looked after: those of agents without a row, and rows without an agent', () => {
  const rows = [serverOf('blue-10.0.0.9:80', { backend: 'other' }), serverOf('web-1', { backend: 'mine' })];
  assert.deepEqual(findSlots(rows, ['node'], [dynamicAgent('10.0.0.1')]), [
    { backend: 'other', dynamic: true },
    { backend: 'app', dynamic: true },
  ]);
  assert.deepEqual(findSlots([], ['node'], [agentAt('10.0.0.1', 'node1')]), []);
});

test('all is as it should be: nothing to do', () => {
  assert.deepEqual(plan([serverOf('node-10.0.0.1:80')], [dynamicAgent('10.0.0.1')]), []);
});

test('gone: made again with the agent’s parameters, in drain while it waits for a check, at once after a restart', () => {
  const agents = [dynamicAgent('10.0.0.1'), dynamicAgent('10.0.0.2', { state: 'drain' })];
  const steps = planSlots(worldOf({ rows: [], agents, templates: dynamic, restarted: true }));
  assert.deepEqual(shown(steps), [
    `add app/node-10.0.0.1:80 10.0.0.1:80 ready "${parameters}"`,
    `add app/node-10.0.0.2:80 10.0.0.2:80 drain "${parameters}"`,
  ]);
  assert.ok(steps.every(({ urgent }) => urgent));
});

test('nothing is made for who has had no server yet, is not ready, or names one that is not its own', () => {
  const agents = [
    agentAt('10.0.0.1', undefined, { registration: { dynamic: parameters } }),
    dynamicAgent('10.0.0.2', { phase: 'draining' }),
    dynamicAgent('10.0.0.3', { registration: { slot: 'node-10.0.0.9:80' } }),
    dynamicAgent('10.0.0.4', { registration: { slot: 'node4' } }),
    dynamicAgent('10.0.0.5', silentFor(60_000)),
  ];
  assert.deepEqual(plan([], agents, { restarted: true }), []);
});

test('an agent of dynamic mode never gets a slot of a template, whatever it says', () => {
  const template = { backend: 'app', prefix: 'node', count: 1 };
  const free = serverOf('node1', { address: '127.0.0.1', port: 3128, adminState: 5, templated: true });
  const agents = [agentAt('10.0.0.1', undefined, { registration: { dynamic: parameters, backend: 'app' } })];
  assert.deepEqual(
    shown(planSlots(worldOf({ rows: [free], agents, templates: [template, ...dynamic] }))),
    [],
  );
});

test('given back and still there: deleted, unless its own agent wants it again', () => {
  const kept = { address: '127.0.0.1', port: 1, adminState: 5, operationalState: 0 };
  const rows = [serverOf('node-10.0.0.1:80', kept), serverOf('node-10.0.0.2:80', kept)];
  assert.deepEqual(plan(rows, [dynamicAgent('10.0.0.2')]), [
    'assign app/node-10.0.0.2:80 10.0.0.2:80 ready',
    'delete app/node-10.0.0.1:80',
  ]);
});

test('a server of the dead is taken by the same rules as a slot', () => {
  const rows = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((at) => serverOf(`node-${at}:80`));
  const down = rows.map((row) => ({ ...row, operationalState: 0 }));
  const agents = [
    dynamicAgent('10.0.0.1', { connected: false, goodbyeReason: 'stopping' }),
    dynamicAgent('10.0.0.2', silentFor(60_000)),
    dynamicAgent('10.0.0.3', silentFor(60_000)),
  ];
  assert.deepEqual(plan(rows, agents), ['release app/node-10.0.0.1:80 10.0.0.1:80']);
  assert.deepEqual(plan(down, agents), [
    'release app/node-10.0.0.1:80 10.0.0.1:80',
    'release app/node-10.0.0.2:80 10.0.0.2:80',
    'release app/node-10.0.0.3:80 10.0.0.3:80',
  ]);
});

test('when most owners are silent at once, nothing is taken yet', () => {
  const rows = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((at) =>
    serverOf(`node-${at}:80`, { operationalState: 0 }),
  );
  const agents = rows.map(({ address }) => dynamicAgent(address, silentFor(20_000)));
  assert.deepEqual(
    plan(rows, agents),
    rows.map(({ name }) => `hold app/${name}`),
  );
});

test('an operator’s drain is held; the state of one on its way in is its agent’s', () => {
  const rows = [
    serverOf('node-10.0.0.1:80', { adminState: 12 }),
    serverOf('node-10.0.0.2:80', { adminState: 5, operationalState: 0 }),
  ];
  const agents = [dynamicAgent('10.0.0.1'), dynamicAgent('10.0.0.2', { state: 'none' })];
  assert.deepEqual(plan(rows, agents), ['hold app/node-10.0.0.1:80']);
});
