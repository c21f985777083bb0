// Records rows as fast as it can until it is killed, and prints the number of each row once it is acknowledged.
// Arguments: the database's path, the journal's path.
import { writeSync } from 'node:fs';
import { Audit } from '../../coordinator/audit/audit.ts';
import { AuditJournal } from '../../coordinator/audit/audit-journal.ts';
import { parseDatabaseUrl } from '../../coordinator/store/database-url.ts';
import { openStore } from '../../coordinator/store/store.ts';
import { systemClock } from '../../shared/clock.ts';
import { memoryLog } from './memory-log.ts';

const [database = '', journal = ''] = process.argv.slice(2);
const store = await openStore(parseDatabaseUrl(`sqlite:${database}`));
const audit = new Audit({ store, journal: new AuditJournal(journal), log: memoryLog(), clock: systemClock });
await audit.open();
for (let next = 0; next < 200_000; ) {
  const acknowledged: Promise<void>[] = [];
  for (let index = 0; index < 7; index += 1, next += 1) {
    const number = next;
    const entry = {
      event: 'test.recorded',
      actor: 'test',
      outcome: 'ok',
      reason: 'test',
      value: number,
    } as const;
    acknowledged.push(audit.record(entry).then(() => void writeSync(1, `${number}\n`)));
  }
  await Promise.all(acknowledged);
}
