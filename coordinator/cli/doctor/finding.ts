// What one check of the doctor found.

export interface Finding {
  /** What was looked at: `haproxy lb1:9999: slots`. */
  check: string;
  /** `fail`: something will not work. `warn`: it will work less well, or only as long as nothing happens. */
  status: 'ok' | 'warn' | 'fail';
  seen: string;
  /** What to do about it; undefined when all is well. */
  mend: string | undefined;
}

export const fine = (check: string, seen: string): Finding => ({
  check,
  status: 'ok',
  seen,
  mend: undefined,
});
export const doubtful = (check: string, seen: string, mend: string): Finding => ({
  check,
  status: 'warn',
  seen,
  mend,
});
export const broken = (check: string, seen: string, mend: string): Finding => ({
  check,
  status: 'fail',
  seen,
  mend,
});
