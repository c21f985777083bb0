// Decisions that were made, decided again with another policy: where would it have gone another way? Each record brings its own
// state and readings, so one decision that differs does not carry on into the next.
import { z } from 'zod';
import { BerthError } from '../../shared/errors.ts';
import { replay } from '../decide/decide.ts';
import { headline } from '../decide/explain.ts';
import type { Policy } from '../decide/policy.ts';
import type { DecisionRecord } from '../decide/record.ts';

export type Replayed = {
  readonly wallMs: number;
  readonly from: number;
  readonly was: { readonly to: number; readonly reason: string };
  readonly would: { readonly to: number; readonly reason: string; readonly headline: string };
  readonly differs: boolean;
};

export function replayRecords(records: readonly DecisionRecord[], policy: Policy): Replayed[] {
  return records.map((record) => {
    const { outcome, wallMs } = record;
    const { decision } = replay(record, { ...policy, service: record.service });
    return {
      wallMs,
      from: outcome.from,
      was: { to: outcome.to, reason: outcome.reason },
      would: { to: decision.to, reason: decision.reason, headline: headline(decision.record) },
      differs: decision.to !== outcome.to,
    };
  });
}

/** Berth writes records itself; what makes one of this version replayable is checked, not every number in it. */
const recordSchema = z.custom<DecisionRecord>(
  (value) =>
    z
      .object({
        version: z.literal(1),
        service: z.string(),
        wallMs: z.number(),
        outcome: z.object({ from: z.number(), to: z.number(), reason: z.string() }),
        inputs: z.object({
          policy: z.object({}),
          state: z.object({ version: z.literal(1) }),
          observations: z.object({ target: z.object({}), readings: z.object({}) }),
          now: z.object({ wallMs: z.number(), monoMs: z.number(), run: z.string() }),
        }),
      })
      .safeParse(value).success,
);
const item = z.union([recordSchema, z.object({ record: recordSchema }).transform(({ record }) => record)]);
const exportSchema = z.union([
  z.array(item),
  z.object({ items: z.array(item) }).transform(({ items }) => items),
]);

/** Records of an answer of `/api/v1/decisions`, a list of those, or of records; oldest first. @throws BerthError `config.invalid` */
export function parseRecords(value: unknown, origin: string): DecisionRecord[] {
  const parsed = exportSchema.safeParse(value);
  if (!parsed.success)
    throw new BerthError('config.invalid', `${origin} holds no decision records of this version`, {
      hint: 'save the answer of GET /api/v1/decisions?service=NAME',
    });
  return parsed.data.toSorted((a, b) => a.wallMs - b.wallMs);
}
