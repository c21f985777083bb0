// Calendars: floors and ceilings by local time, through daylight saving, midnight and leap days.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { effectiveBounds } from '../../coordinator/decide/bounds.ts';
import { runsAround } from '../../coordinator/decide/cron.ts';
import { isActive, rampedValue, type Schedule } from '../../coordinator/decide/schedule.ts';
import { instantOf, localDay } from '../../coordinator/decide/zoned-time.ts';
import { atOnce, load, policyOf, Scenario } from './scenario.ts';
import { checked } from './seed.ts';

const hour = 3_600_000;

function bounds(schedules: readonly object[], at: string, extra: object = {}): [number, number] {
  const policy = policyOf({ timeZone: 'Europe/Berlin', schedules, ...extra });
  const { low, high } = effectiveBounds(policy, Date.parse(at), 0);
  return [low, high];
}

function one(written: object): Schedule {
  const [schedule] = policyOf({
    timeZone: 'Europe/Berlin',
    schedules: [{ minReplicas: 5, ...written }],
  }).schedules;
  assert.ok(schedule !== undefined);
  return schedule;
}

test('office hours: two schedules without end take turns, also over the weekend', () => {
  const schedules = [
    { start: '0 8 * * 1-5', minReplicas: 5 },
    { start: '0 18 * * 1-5', minReplicas: 2 },
  ];
  const at = (time: string) => bounds(schedules, time)[0];
  assert.equal(at('2026-06-17T07:59:59+02:00'), 2);
  assert.equal(at('2026-06-17T08:00:00+02:00'), 5);
  assert.equal(at('2026-06-17T18:00:00+02:00'), 2);
  assert.equal(at('2026-06-20T12:00:00+02:00'), 2);
});

test('the start is inclusive, the end is not, and windows that touch do not overlap', () => {
  const schedules = [
    { start: '0 8 * * *', end: '0 12 * * *', minReplicas: 4, maxReplicas: 6 },
    { start: '0 12 * * *', end: '0 16 * * *', minReplicas: 7, maxReplicas: 9 },
  ];
  assert.deepEqual(bounds(schedules, '2026-06-17T11:59:59+02:00'), [4, 6]);
  assert.deepEqual(bounds(schedules, '2026-06-17T12:00:00+02:00'), [7, 9]);
  assert.deepEqual(bounds(schedules, '2026-06-17T16:00:00+02:00'), [1, 10]);
});

test('overlapping: the highest floor, the lowest ceiling; a floor wins over a ceiling; the maximum wins over all', () => {
  const always = { start: '* * * * *', duration: '1h' };
  const schedules = [
    { ...always, minReplicas: 3, maxReplicas: 8 },
    { ...always, minReplicas: 5 },
    { ...always, maxReplicas: 6 },
  ];
  assert.deepEqual(bounds(schedules, '2026-06-17T12:00:00Z'), [5, 6]);
  assert.deepEqual(bounds([...schedules, { ...always, minReplicas: 7 }], '2026-06-17T12:00:00Z'), [7, 7]);
  assert.deepEqual(bounds([{ ...always, minReplicas: 10 }], '2026-06-17T12:00:00Z'), [10, 10]);
});

test('a weekly window may pass midnight, and a leap day exists when it exists', () => {
  const night = one({ days: ['Fri'], startTime: '22:00', endTime: '02:00' });
  assert.equal(isActive(night, Date.parse('2026-06-19T22:00:00+02:00')), true);
  assert.equal(isActive(night, Date.parse('2026-06-20T01:59:59+02:00')), true);
  assert.equal(isActive(night, Date.parse('2026-06-20T02:00:00+02:00')), false);
  assert.equal(isActive(night, Date.parse('2026-06-20T22:30:00+02:00')), false);
  const leap = one({ start: '0 0 29 2 *', duration: '24h', timeZone: 'UTC' });
  assert.equal(isActive(leap, Date.parse('2028-02-29T23:00:00Z')), true);
  assert.equal(isActive(leap, Date.parse('2027-03-01T00:00:00Z')), false);
});

test('a local time that the clock skips happens at the next valid instant; one that comes twice, once', () => {
  // Berlin: 02:00 to 03:00 is skipped on 2026-03-29, and comes twice on 2026-10-25.
  const skipped = one({ start: '30 2 * * *', duration: '10m' });
  assert.equal(isActive(skipped, Date.parse('2026-03-29T01:00:00Z')), true);
  assert.equal(isActive(skipped, Date.parse('2026-03-29T00:59:59Z')), false);
  assert.equal(isActive(skipped, Date.parse('2026-03-29T01:10:00Z')), false);
  assert.equal(isActive(skipped, Date.parse('2026-10-25T00:30:00Z')), true);
  assert.equal(isActive(skipped, Date.parse('2026-10-25T01:30:00Z')), false);
  const weekly = one({ days: ['Sun'], startTime: '02:30', duration: '10m' });
  assert.equal(isActive(weekly, Date.parse('2026-03-29T01:00:00Z')), true);
  assert.equal(isActive(weekly, Date.parse('2026-03-29T00:59:59Z')), false);
  assert.equal(isActive(weekly, Date.parse('2026-10-25T00:30:00Z')), true);
  assert.equal(isActive(weekly, Date.parse('2026-10-25T01:30:00Z')), false);
});

test('the floor rises in steps before the window, and falls in steps after it', () => {
  const ramped = one({
    date: '2026-06-17T12:00:00Z',
    duration: '1h',
    ramp: '10m',
    minReplicas: 10,
    rampSteps: 5,
  });
  const at = (offset: number) => rampedValue(ramped, 10, Date.parse('2026-06-17T12:00:00Z') + offset);
  assert.deepEqual([-600_001, -600_000, -480_000, -1, 0, hour - 1].map(at), [0, 0, 2, 8, 10, 10]);
  assert.deepEqual(
    [hour, hour + 1, hour + 360_000, hour + 599_999, hour + 600_000].map(at),
    [10, 8, 4, 0, 0],
  );
});

test('after a mismatched end, the ramp down belongs to the window that ended, not to every end', () => {
  const monday = one({ start: '0 1 * * Mon', end: '0 2 * * *', ramp: '30m', timeZone: 'UTC' });
  assert.equal(rampedValue(monday, 10, Date.parse('2026-06-15T02:10:00Z')), 6);
  assert.equal(rampedValue(monday, 10, Date.parse('2026-06-17T02:10:00Z')), 0);
});

test('holidays are local dates on which a schedule rests, or only then is in force', () => {
  const holidays = ['2026-12-25'];
  const schedules = (mode: string) => [
    { start: '0 8 * * *', end: '0 18 * * *', minReplicas: 5, holidays: mode },
  ];
  const christmas = '2026-12-25T10:00:00+01:00';
  const before = '2026-12-24T10:00:00+01:00';
  assert.deepEqual(bounds(schedules('skip'), christmas, { holidays })[0], 1);
  assert.deepEqual(bounds(schedules('skip'), before, { holidays })[0], 5);
  assert.deepEqual(bounds(schedules('only'), christmas, { holidays })[0], 5);
  assert.deepEqual(bounds(schedules('only'), before, { holidays })[0], 1);
});

test('it begins earlier by the time that an instance needs to start', () => {
  const schedules = [{ start: '0 8 * * *', end: '0 18 * * *', minReplicas: 5, leadTime: 'auto' }];
  const policy = policyOf({ timeZone: 'UTC', schedules });
  const at = (time: string, startupMs: number) => effectiveBounds(policy, Date.parse(time), startupMs).low;
  assert.deepEqual([at('2026-06-17T07:59:10Z', 0), at('2026-06-17T07:59:10Z', 60_000)], [1, 5]);
});

test('a schedule lifts the size at once, whatever tolerance, windows and rates say; its end takes the normal way down', () => {
  const schedules = [{ start: '0 13 * * *', end: '0 14 * * *', minReplicas: 8 }];
  const web = new Scenario(policyOf({ timeZone: 'UTC', metrics: [load(100)], schedules }), 2);
  web.load(200, { after: 3599 });
  const up = web.load(200, { after: 1 });
  assert.deepEqual([up.to, up.reason, up.record.bounds.schedules], [8, 'Bounds', ['schedule 1']]);
  for (let minute = 0; minute < 59; minute += 1) assert.equal(web.load(200, { after: 60 }).to, 8);
  assert.equal(web.load(200, { after: 60 }).to, 3);
});

test('without any metric the schedule alone is the size', () => {
  const schedules = [{ start: '0 13 * * *', end: '0 14 * * *', minReplicas: 8 }];
  const web = new Scenario(policyOf({ timeZone: 'UTC', minReplicas: 2, schedules, behavior: atOnce }), 2);
  assert.deepEqual([web.tick({ after: 3600 }).to, web.tick({ after: 3600 }).to], [8, 2]);
});

test('runs around an instant enclose it, in every zone and across every change of the clock', () => {
  const zones = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/Sao_Paulo',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
  );
  const patterns = fc.constantFrom('*/15 * * * *', '30 2 * * *', '0 0 * * 0', '0 12 1 * *', '5 1-3 * 3,10 *');
  const instants = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2030, 0, 1) });
  checked(
    fc.property(patterns, zones, instants, (pattern, zone, instant) => {
      const { previous, next } = runsAround(pattern, zone, instant);
      assert.ok(previous !== null && previous <= instant);
      assert.ok(next !== null && next > instant);
      assert.deepEqual(runsAround(pattern, zone, previous).previous, previous);
    }),
    200,
  );
});

test('local times come back from their instants, unless the clock skips them', () => {
  const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata');
  const days = fc.integer({ min: 0, max: 3650 });
  checked(
    fc.property(zones, days, fc.integer({ min: 0, max: 1439 }), (zone, day, minute) => {
      const midnight = Date.UTC(2024, 0, 1) + day * 86_400_000;
      const instant = instantOf(zone, midnight, minute);
      const local = localDay(zone, instant);
      assert.equal(local.date, new Date(midnight).toISOString().slice(0, 10));
      assert.ok(instantOf(zone, midnight, minute) <= instantOf(zone, midnight, minute + 1));
    }),
    300,
  );
});
