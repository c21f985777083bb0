// What was stored of services: what cannot be read costs that service's memory, and nothing else.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ServiceSaver } from '../../coordinator/services/service-saver.ts';
import { newService } from '../../coordinator/services/service-state.ts';
import { Services } from '../../coordinator/services/services.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { memoryLog } from './memory-log.ts';

it('of stored services, those that cannot be read are told, and the others are known', async (t) => {
  const store = await openStore(parseDatabaseUrl('sqlite::memory:'));
  t.after(() => store.close());
  const states = [
    ['cut', '{"service": "cut", "wan'],
    ['old', '{"service": "old"}'],
    ['web', JSON.stringify({ ...newService('web'), wanted: 3 })],
  ];
  await store.use((db) =>
    db
      .insertInto('services')
      .values(states.map(([service = '', state = '']) => ({ service, state, updated_at: 0 })))
      .execute(),
  );
  const log = memoryLog();
  const services = new Services();
  const saver = new ServiceSaver({ services, store, log, clock: systemClock });
  assert.equal(await saver.load(), true);
  assert.deepEqual(
    services.list().map(({ service, wanted }) => [service, wanted]),
    [['web', 3]],
  );
  assert.deepEqual(
    log.lines.flatMap(({ fields }) => (fields['event'] === 'service.unreadable' ? fields['service'] : [])),
    ['cut', 'old'],
  );
});
