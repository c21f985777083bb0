// Keeps the database's copy of the services: what changed, a moment later. The database being away delays it, no more.
import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '../../shared/clock.ts';
import { describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../store/store.ts';
import type { Tables } from '../store/tables.ts';
import { type ServiceState, serviceStateSchema } from './service-state.ts';
import type { Services } from './services.ts';

const everyMs = 250;

export class ServiceSaver {
  readonly #services: Services;
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  #loaded = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(parts: { services: Services; store: Store; log: Log; clock: Clock }) {
    this.#services = parts.services;
    this.#store = parts.store;
    this.#log = parts.log;
    this.#clock = parts.clock;
  }

  /** Whether what an earlier run knew is known. Until then nothing must be scaled: the wanted numbers are in there. */
  get loaded(): boolean {
    return this.#loaded;
  }

  async load(): Promise<boolean> {
    try {
      this.#services.restore(await this.#store.use((db) => loadServices(db, this.#log)));
      this.#loaded = true;
    } catch (error) {
      this.#log.warn(
        { event: 'services.unread', error: describeError(error) },
        'the services of an earlier run are not known yet',
      );
    }
    return this.#loaded;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(everyMs, signal);
      if (this.#loaded || (await this.load())) await this.save();
    }
  }

  /** Writes what has changed; what a database that is away did not take is written later. One after the other. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    if (!this.#loaded) return;
    const changes = this.#services.takeUnsaved();
    if (changes.length === 0) return;
    try {
      await this.#store.transaction((db) => saveServices(db, changes, this.#clock.wall()));
    } catch {
      // The store remembers the failure, and /readyz tells of it.
      this.#services.putBack(changes.map(({ service }) => service));
    }
  }
}

async function loadServices(db: Kysely<Tables>, log: Log): Promise<ServiceState[]> {
  const rows = await db.selectFrom('services').selectAll().execute();
  return rows.flatMap(({ service, state }) => {
    const parsed = serviceStateSchema.safeParse(parseJson(state));
    if (parsed.success) return [parsed.data];
    log.error(
      { event: 'service.unreadable', service },
      `the stored state of ${service} cannot be read; it is made anew`,
    );
    return [];
  });
}

/** Undefined, which no state is, for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function saveServices(
  db: Transaction<Tables>,
  changes: readonly { service: string; state: ServiceState | undefined }[],
  wall: number,
): Promise<void> {
  await db
    .deleteFrom('services')
    .where(
      'service',
      'in',
      changes.map(({ service }) => service),
    )
    .execute();
  const values = changes.flatMap(({ service, state }) =>
    state === undefined ? [] : [{ service, state: JSON.stringify(state), updated_at: Math.round(wall) }],
  );
  if (values.length > 0) await db.insertInto('services').values(values).execute();
}
