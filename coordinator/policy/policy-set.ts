// The policies in force, kept up to date: the file is looked at again when it changes, the database when somebody writes
// one here, and every few seconds for those who write into it by other ways; labels with every look at Docker. An invalid
// new version is refused and the old one stays.
import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../shared/clock.ts';
import { BerthError, describeError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../store/store.ts';
import type { Tables } from '../store/tables.ts';
import { type AdmissionError, admitFile, admitPolicy, formatAdmissionError } from './admit.ts';
import type { AdmittedPolicy } from './normalize.ts';
import {
  type EffectivePolicy,
  type PolicyLabels,
  type Resolution,
  resolvePolicies,
} from './resolve-policies.ts';

export interface StoredPolicy {
  name: string;
  service: string;
  document: unknown;
  updatedAt: number;
  updatedBy: string;
}

type PolicyRow = Tables['policies'];

export interface PolicySetParts {
  /** The policy file; undefined: none. */
  file: string | undefined;
  store: Store;
  labels: () => readonly PolicyLabels[];
  log: Log;
  clock: Clock;
}

const everyMs = 1000;
const databaseEveryMs = 2000;

export class PolicySet {
  readonly #parts: PolicySetParts;
  #file: readonly AdmittedPolicy[] = [];
  #fileErrors: readonly AdmissionError[] = [];
  #fileStamp = '';
  #database: ReadonlyMap<string, AdmittedPolicy> = new Map();
  #stored: readonly StoredPolicy[] = [];
  #storedErrors: readonly AdmissionError[] = [];
  #loaded = false;
  #readings = 0;
  #readingSeen = 0;
  #resolution: Resolution = { effective: [], problems: [] };
  #byService: ReadonlyMap<string, EffectivePolicy> = new Map();
  #said = '';

  constructor(parts: PolicySetParts) {
    this.#parts = parts;
  }

  /** The policies in force, one for a service at most. */
  effective(): readonly EffectivePolicy[] {
    return this.#resolution.effective;
  }

  of(service: string): EffectivePolicy | undefined {
    return this.#byService.get(service);
  }

  /** Policies that are refused, and labels that cannot be followed, as lines for people. */
  problems(): string[] {
    return [
      ...[...this.#fileErrors, ...this.#storedErrors].map(formatAdmissionError),
      ...this.#resolution.problems.map(({ service, message }) => `${service}: ${message}`),
    ];
  }

  stored(): readonly StoredPolicy[] {
    return this.#stored;
  }

  /** Reads everything again: what has changed is in force afterwards. */
  async refresh(): Promise<void> {
    await this.#readFile();
    if (!this.#loaded) await this.#readDatabase();
    this.#resolution = resolvePolicies(this.#file, [...this.#database.values()], this.#parts.labels());
    // The first of a service counts.
    this.#byService = new Map(
      this.#resolution.effective.toReversed().map((effective) => [effective.policy.service, effective]),
    );
    const problems = this.problems();
    const said = problems.join('\n');
    if (said === this.#said) return;
    this.#said = said;
    for (const problem of problems)
      this.#parts.log.error({ event: 'policy.refused', reason: problem }, problem);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(signal), this.#followDatabase(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.refresh();
      await this.#parts.clock.sleep(everyMs, signal);
    }
  }

  /** By itself: a database that hangs must not keep the file and the labels waiting. */
  async #followDatabase(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(databaseEveryMs, signal);
      if (this.#loaded && !signal.aborted) await this.#readDatabase();
    }
  }

  /** Admits and stores a policy; undefined: it is in force nowhere. @throws BerthError `policy.invalid` with every fault, `database.unavailable` */
  async put(document: unknown, by: string): Promise<EffectivePolicy | undefined> {
    const { admitted, errors } = admitPolicy(document, 'request');
    const [policy] = admitted;
    if (policy === undefined)
      throw new BerthError('policy.invalid', errors.map(formatAdmissionError).join('; '));
    const { name, service } = policy.policy;
    const other = [...this.#database.values()].find(
      (each) => each.policy.service === service && each.policy.name !== name,
    );
    if (other !== undefined) {
      throw new BerthError('policy.conflict', `policy ${other.policy.name} already scales ${service}`, {
        hint: 'a service takes one policy: delete that one first',
      });
    }
    const { store, clock } = this.#parts;
    const row = {
      name,
      service,
      document: JSON.stringify(document),
      updated_at: Math.round(clock.wall()),
      updated_by: by,
    };
    await store.transaction(async (db) => {
      await db.deleteFrom('policies').where('name', '=', name).execute();
      await db.insertInto('policies').values(row).execute();
    });
    await this.#readDatabase();
    await this.refresh();
    // Not `of(service)`: a label may give that service another policy, or this one to another service.
    return this.effective().find((each) => each.policy.name === name);
  }

  /** Returns whether there was one. @throws BerthError `database.unavailable` */
  async remove(name: string): Promise<boolean> {
    const known = this.#database.has(name) || this.#stored.some((each) => each.name === name);
    await this.#parts.store.use((db) => db.deleteFrom('policies').where('name', '=', name).execute());
    await this.#readDatabase();
    await this.refresh();
    return known;
  }

  async #readFile(): Promise<void> {
    const { file, log } = this.#parts;
    if (file === undefined) return;
    try {
      const { mtimeMs, size, ino } = await stat(file);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (stamp === this.#fileStamp) return;
      const { admitted, errors } = admitFile(await readFile(file, 'utf8'), file);
      this.#fileStamp = stamp;
      // A policy that is refused now keeps its last good version, so that a slip of the pen stops no scaling.
      const refused = new Set(errors.map(({ policy }) => policy));
      const unreadable = refused.has(null);
      const kept = this.#file.filter(
        ({ policy }) =>
          (unreadable || refused.has(policy.name)) &&
          !admitted.some((each) => each.policy.name === policy.name),
      );
      this.#file = [...admitted, ...kept];
      this.#fileErrors = errors;
      log.info(
        { event: 'policy.read', file, policies: admitted.length, refused: errors.length },
        `${file}: ${admitted.length} policies`,
      );
    } catch (error) {
      if (this.#fileStamp === 'unreadable') return;
      this.#fileStamp = 'unreadable';
      log.error(
        { event: 'policy.unread', file, error: describeError(error) },
        `${file} cannot be read; the policies that were read before stay in force`,
      );
    }
  }

  async #readDatabase(): Promise<void> {
    let rows: PolicyRow[];
    const reading = ++this.#readings;
    try {
      rows = await this.#parts.store.use((db) => db.selectFrom('policies').selectAll().execute());
    } catch (error) {
      // Asked again; what is known stays in force.
      this.#parts.log.debug(
        { event: 'policy.unread', error: describeError(error) },
        'the policies of the database cannot be read',
      );
      return;
    }
    // Another reading began later, and ended sooner.
    if (reading < this.#readingSeen) return;
    this.#readingSeen = reading;
    this.#loaded = true;
    this.#stored = rows.map((row) => ({
      name: row.name,
      service: row.service,
      document: parseJson(row.document),
      updatedAt: Number(row.updated_at),
      updatedBy: row.updated_by,
    }));
    const admissions = this.#stored.map(({ document, name }) =>
      admitPolicy(document, `database, policy ${name}`),
    );
    this.#storedErrors = admissions.flatMap(({ errors }) => errors);
    const known = this.#database;
    // One that is refused now keeps its last good version.
    const admitted = this.#stored.flatMap(({ name }, index) => {
      const taken = admissions[index]?.admitted ?? [];
      const before = known.get(name);
      return taken.length > 0 || before === undefined ? taken : [before];
    });
    this.#database = new Map(admitted.map((each) => [each.policy.name, each]));
  }
}

/** Text that is no JSON is admitted as little as any other text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
