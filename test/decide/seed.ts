// Property checks that print their seed: BERTH_SEED=… runs the same again.
import fc from 'fast-check';

const seed = Number(process.env['BERTH_SEED'] ?? Date.now() % 2 ** 31);
let isPrinted = false;

export function checked<T>(property: fc.IProperty<T>, numRuns: number): void {
  if (!isPrinted) console.log(`seed ${seed} (BERTH_SEED=${seed} repeats)`);
  isPrinted = true;
  fc.assert(property, { seed, numRuns });
}
