// Admission: which policies of a file are taken, and what is wrong with the others, by file, line and column. One bad policy does not
// reject the rest.
import { type Document, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { checkPolicy, type PolicyFault } from './check-policy.ts';
import { describeIssue } from './describe-issue.ts';
import { locate, nowhere, type Position } from './locate.ts';
import { type AdmittedPolicy, normalizePolicy } from './normalize.ts';
import { formatPath, type Path, valueAt } from './path.ts';
import { policySchema } from './policy-schema.ts';
import { withPreset } from './with-preset.ts';

export type AdmissionError = Position & {
  readonly file: string;
  /** The policy that is refused; null when it has no name, or the whole file cannot be read. */
  readonly policy: string | null;
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
};

export type Admission = {
  readonly admitted: readonly AdmittedPolicy[];
  readonly errors: readonly AdmissionError[];
};

type Locate = (path: Path, offset: number | 'key') => Position;

/** One line for people: `policies.yaml:12:5: metrics[0].target: … (…)`. */
export function formatAdmissionError(error: AdmissionError): string {
  const place = error.line === null ? error.file : `${error.file}:${error.line}:${error.column}`;
  const path = error.path === '' ? '' : `${error.path}: `;
  const hint = error.hint === null ? '' : ` (${error.hint})`;
  return `${place}: ${path}${error.message}${hint}`;
}

/** Policies of a YAML or JSON text: `policies: [...]`, a list, or one policy. */
export function admitFile(text: string, file: string): Admission {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [position] = broken.linePos ?? [];
    const message = broken.message.split(/ at line \d+/)[0] ?? broken.message;
    const { line = null, col = null } = position ?? {};
    return {
      admitted: [],
      errors: [{ file, line, column: col, policy: null, path: '', message, hint: null }],
    };
  }
  return admitDocument(document, counter, file, ['policies']);
}

/** Policies under `path` of a document that was parsed with `counter`, such as a part of the coordinator's configuration. */
export function admitDocument(document: Document, counter: LineCounter, file: string, path: Path): Admission {
  const found = policiesIn(document.toJS(), path);
  const locateIn: Locate = (place, offset) => locate(document, counter, place, offset);
  if (found === null) {
    const message = 'there are no policies: expected `policies:` with a list';
    return {
      admitted: [],
      errors: [{ file, ...locateIn([], 0), policy: null, path: '', message, hint: null }],
    };
  }
  return refuseSecondOnTarget(
    found.map(({ value, base }) =>
      admitValue(value, file, (place, offset) => locateIn([...base, ...place], offset)),
    ),
  );
}

/** A list under `path`, the whole as a list, or the whole as one policy. */
function policiesIn(whole: unknown, path: Path): { value: unknown; base: Path }[] | null {
  const nested = valueAt(whole, path);
  if (Array.isArray(nested))
    return nested.map((value: unknown, index) => ({ value, base: [...path, index] }));
  if (Array.isArray(whole)) return whole.map((value: unknown, index) => ({ value, base: [index] }));
  return nameIn(whole) === null ? null : [{ value: whole, base: [] }];
}

/** One policy that does not come from a text with lines: a label, a row of a database, a request. `origin` says from where. */
export function admitPolicy(value: unknown, origin: string): Admission {
  const { admitted, errors } = admitValue(value, origin, () => nowhere);
  return { admitted: admitted === null ? [] : [admitted.policy], errors };
}

type One = {
  readonly admitted: {
    readonly policy: AdmittedPolicy;
    readonly refuse: (fault: PolicyFault) => AdmissionError;
  } | null;
  readonly errors: readonly AdmissionError[];
};

function admitValue(value: unknown, file: string, locate: Locate): One {
  const name = nameIn(value);
  const toError = ({ path, message, hint, offset = 0 }: PolicyFault): AdmissionError => ({
    file,
    ...locate(path, offset),
    policy: name,
    path: formatPath(path),
    message,
    hint: hint ?? null,
  });
  const filled = withPreset(value);
  const parsed = policySchema.safeParse(filled);
  const faults = parsed.success ? checkPolicy(parsed.data) : issuesOf(parsed.error, filled);
  if (!parsed.success || faults.length > 0) return { admitted: null, errors: faults.map(toError) };
  return { admitted: { policy: normalizePolicy(parsed.data), refuse: toError }, errors: [] };
}

function issuesOf(error: z.ZodError, value: unknown): PolicyFault[] {
  const faults = error.issues.flatMap((issue) => describeIssue(issue, value));
  // A required key that is only misspelt is reported once, by the misspelling.
  const misspelt = new Set(faults.flatMap(({ meant }) => (meant === undefined ? [] : [meant])));
  return faults.filter((fault) => fault.isMissing !== true || !misspelt.has(formatPath(fault.path)));
}

/** A service takes one policy: the first one that names it. */
function refuseSecondOnTarget(admissions: readonly One[]): Admission {
  const owners = new Map<string, string>();
  const names = new Set<string>();
  const admitted: AdmittedPolicy[] = [];
  const errors: AdmissionError[] = [];
  for (const one of admissions) {
    errors.push(...one.errors);
    if (one.admitted === null) continue;
    const { policy, refuse } = one.admitted;
    const { name, service } = policy.policy;
    const owner = owners.get(service);
    if (owner !== undefined) {
      const message = `policy ${JSON.stringify(owner)} already scales the service ${JSON.stringify(service)}`;
      errors.push(refuse({ path: ['name'], message, hint: 'a service takes one policy' }));
    } else if (names.has(name)) {
      errors.push(refuse({ path: ['name'], message: `two policies are called ${JSON.stringify(name)}` }));
    } else {
      owners.set(service, name);
      names.add(name);
      admitted.push(policy);
    }
  }
  return { admitted, errors };
}

function nameIn(value: unknown): string | null {
  const name = valueAt(value, ['name']);
  return typeof name === 'string' ? name : null;
}
