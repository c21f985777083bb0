// `berth validate`, and `berth policies`: those in force, and those of the database to read, write and delete.
import { parse } from 'yaml';
import { z } from 'zod';
import { BerthError, describeError } from '../../shared/errors.ts';
import { effectiveSchema } from '../api/policy-routes.ts';
import { type Admission, admitFile, formatAdmissionError } from '../policy/admit.ts';
import type { ApiClient } from './api-client.ts';
import type { CommandContext, Common } from './command-context.ts';
import { type Format, type Output, writeJson, writeList } from './output.ts';
import { readText } from './read-policy.ts';
import { type Column, formatSpan } from './table.ts';

type Effective = z.infer<typeof effectiveSchema>;

export function addPolicyCommands(context: CommandContext): void {
  const { output } = context;
  context
    .addShown(
      'validate',
      'check policy files: what is wrong, where, and what was meant',
      'berth validate policies.yaml',
    )
    .argument('<files...>')
    .action((files: string[], { output: format }: { output: Format }) =>
      context.judge(validateFiles(files, output, format)),
    );

  const group = context.addGroup(
    'policies',
    'policies in force; and those of the database, to write at run time',
  );
  const under = (name: string, description: string, example: string) =>
    context.addClient(name, description, example, group);
  under('list', 'the policies in force, and why others are not', 'berth policies').action(
    async (common: Common) => {
      const { items, problems } = await readPolicies(context.api(common));
      if (common.output === 'json') return writeJson(output, { items, problems });
      writeList(output, 'table', items, columns, 'No policy is in force.');
      for (const problem of problems) output.warn(`berth: ${problem}\n`);
    },
  );
  under(
    'get',
    'one policy, with every value in force; of one service, where several share it',
    'berth policies get web',
  )
    .argument('<policy>')
    .argument('[service]')
    .action(async (name: string, service: string | undefined, common: Common) => {
      const { items } = await readPolicies(context.api(common));
      writeJson(output, choosePolicy(items, name, service));
    });
  const pathOf = (name: string) =>
    `/api/v1/policies/${encodeURIComponent(name)}?by=${encodeURIComponent(context.user)}`;
  under('put', 'check the policies of a file and write them into the database', 'berth policies put web.yaml')
    .argument('<file>')
    .action(async (file: string, common: Common) => {
      const text = readText(file);
      const { errors } = admitFile(text, file);
      for (const error of errors) output.warn(`${formatAdmissionError(error)}\n`);
      if (errors.length > 0) return context.judge(false);
      const api = context.api(common);
      const stored: Effective[] = [];
      for (const document of documentsOf(text))
        stored.push(await api.send('PUT', pathOf(document.name), effectiveSchema, document));
      writeList(output, common.output, stored, columns, 'No policy is in the file.');
    });
  under('delete', 'delete a policy of the database', 'berth policies delete web')
    .argument('<policy>')
    .action(async (name: string, common: Common) => {
      await context.api(common).send('DELETE', pathOf(name), z.undefined());
      if (common.output === 'json') writeJson(output, { deleted: name });
      else output.write(`${name}: deleted\n`);
    });
}

/** @throws BerthError `not-found`; `request.invalid` where several services share it and none is named */
export function choosePolicy<T extends Pick<Effective, 'name' | 'service'>>(
  items: readonly T[],
  name: string,
  service: string | undefined,
): T {
  const found = items.filter((item) => item.name === name && (service ?? item.service) === item.service);
  const [only, ...others] = found;
  if (only === undefined)
    throw new BerthError(
      'not-found',
      `no policy ${name} is in force${service === undefined ? '' : ` for service ${service}`}`,
      { hint: '`berth policies` lists them' },
    );
  if (others.length === 0) return only;
  const services = found.map((item) => item.service).toSorted();
  throw new BerthError('request.invalid', `several services share policy ${name}: ${services.join(', ')}`, {
    hint: `name one: \`berth policies get ${name} ${services[0]}\``,
  });
}

const columns: Column<Effective>[] = [
  { title: 'POLICY', cell: ({ name }) => name },
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'FROM', cell: ({ origins }) => origins.policy },
  { title: 'MIN', cell: ({ minReplicas }) => minReplicas },
  { title: 'MAX', cell: ({ maxReplicas }) => maxReplicas },
  {
    title: 'EVERY',
    cell: ({ intervalMs }) => (intervalMs < 1000 ? `${intervalMs}ms` : formatSpan(intervalMs)),
  },
  { title: 'METRICS', cell: ({ metrics }) => metrics.join(', ') },
];

async function readPolicies(api: ApiClient): Promise<{ items: Effective[]; problems: string[] }> {
  const items = await api.list('/api/v1/policies', effectiveSchema, new URLSearchParams());
  const { problems } = await api.get('/api/v1/policies?limit=1', z.object({ problems: z.array(z.string()) }));
  return { items, problems };
}

const named = z.looseObject({ name: z.string() });
const documents = z.union([
  z.object({ policies: z.array(named) }).transform(({ policies }) => policies),
  z.array(named),
  named.transform((one) => [one]),
]);

/** The policies as they were written; the text was admitted before. */
function documentsOf(text: string): z.infer<typeof named>[] {
  return documents.parse(parse(text));
}

/** True when every file is right. */
export function validateFiles(files: readonly string[], output: Output, format: Format): boolean {
  const results = files.map((file) => ({ file, ...admissionOf(file) }));
  if (format === 'json') {
    const items = results.map(({ file, admitted, errors }) => ({
      file,
      policies: admitted.map(({ policy: { name, service } }) => ({ name, service })),
      errors,
    }));
    writeJson(output, { items });
  } else {
    for (const { file, admitted, errors } of results) {
      for (const error of errors) output.write(`${formatAdmissionError(error)}\n`);
      if (errors.length === 0)
        output.write(
          `${file}: ${admitted.map(({ policy }) => policy.name).join(', ') || 'no policy'}: fine\n`,
        );
    }
  }
  return results.every(({ errors }) => errors.length === 0);
}

function admissionOf(file: string): Admission {
  try {
    return admitFile(readText(file), file);
  } catch (error) {
    const at = { line: null, column: null, policy: null, path: '', hint: null };
    return { admitted: [], errors: [{ file, ...at, message: `it cannot be read: ${describeError(error)}` }] };
  }
}
